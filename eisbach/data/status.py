"""What became of every source of a corpus, and whether enough of them are left to go on."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from eisbach.errors import UserError
from eisbach.pipeline import tables


@dataclass(frozen=True)
class Outcome:
    """One source: a score, a video, a file. `status` is "ok" or the kind of fault, `reason` a sentence about it."""

    name: str
    status: str
    reason: str = ""
    attempts: int = 1
    clips: int = 0
    sha256: str = ""  # of the audio as it came; empty where there is none


def write(outcomes: Iterable[Outcome], folder: Path) -> None:
    """status.parquet: the availability report, by which two runs can be compared and intersected."""
    tables.write(folder / "status.parquet", pd.DataFrame([asdict(outcome) for outcome in outcomes]))


def counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many sources of each status, the most frequent first."""
    return dict(Counter(outcome.status for outcome in outcomes).most_common())


def coverage(outcomes: list[Outcome]) -> float:
    """The share of sources that can be used. A duplicate counts neither way: its music is there."""
    wanted = [outcome for outcome in outcomes if outcome.status != "duplicate"]
    return sum(outcome.status == "ok" for outcome in wanted) / max(len(wanted), 1)


def check_coverage(outcomes: list[Outcome], least: float, table: Path) -> None:
    """Raise UserError with the counts of reasons unless a share of `least` can be used."""
    if (share := coverage(outcomes)) >= least and share > 0:
        return
    said = ", ".join(f"{count} {status}" for status, count in counts(outcomes).items())
    raise UserError(
        f"only {share:.1%} of {len(outcomes)} sources can be used, less than prepare.corpus.min_coverage of "
        f"{least:.1%} ({said}); {table} has the reason for each: mend them, or lower the threshold in params.yaml"
    )
