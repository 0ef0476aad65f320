"""One arm of an experiment, as every table, setting, registry and picture names it.

The text form is `name[@lambda][:adapter][~follows]`: `baseline`, `barrier@0.5`, `barrier@0.5:lora`,
`constant@0.5~barrier`.
"""

import re
from dataclasses import dataclass

_TEXT = re.compile(r"(?P<name>\w[\w-]*)(?:@(?P<lam>[\d.]+))?(?::(?P<adapter>\w+))?(?:~(?P<follows>\w[\w-]*))?")


@dataclass(frozen=True)
class Arm:
    """A way of weighting samples, and what distinguishes its rows from those of other arms.

    `lam` is Eq. 5's lambda, None where the arm has none or the table has a single one. `adapter` is "lora", "dora" or
    "full", empty where the context fixes it. `follows` is the arm whose factors this one replays, empty for none.
    """

    name: str
    lam: float | None = None
    adapter: str = ""
    follows: str = ""

    def __str__(self) -> str:
        lam = "" if self.lam is None else f"@{self.lam:g}"
        adapter = f":{self.adapter}" if self.adapter else ""
        return f"{self.name}{lam}{adapter}{f'~{self.follows}' if self.follows else ''}"


def parse(text: str) -> Arm:
    """The arm that `text` names: the inverse of `str(arm)`. Raises ValueError for any other text."""
    match = _TEXT.fullmatch(text)
    try:
        lam = None if match["lam"] is None else float(match["lam"])
    except (TypeError, ValueError):
        raise ValueError(f"'{text}' is not an arm; write name, name@lambda or name@lambda:adapter") from None
    return Arm(match["name"], lam, match["adapter"] or "", match["follows"] or "")
