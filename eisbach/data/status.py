"""The status of every source of a corpus, and the check that enough of them are usable."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from eisbach.errors import UserError
from eisbach.pipeline import tables

# What messages of libraries have that no other run will have: addresses of objects, dates, times, and waits.
CHANGING = re.compile(
    r"0x[0-9a-f]{6,}|\d{4}-\d\d-\d\d|\d{1,2}:\d\d(:\d\d)?(\.\d+)?|in \d+ (second|minute|hour|day|week|month)s?",
    re.IGNORECASE,
)
USABLE = ("ok", "partial")  # partial: some of the source gives no clips; `lost_seconds` says how much


@dataclass(frozen=True)
class SourceStatus:
    """One source (a score, a video or a file): one row of status.parquet.

    Two runs on the same sources have equal rows: `write` takes addresses and times out of reasons.
    """

    name: str
    status: str  # one of USABLE, or the kind of fault
    reason: str = ""  # the fault, or what was changed, in a sentence
    attempts: int = 1
    clips: int = 0
    sha256: str = ""  # of the source's file; empty where there is none
    lost_seconds: float = 0.0  # of a partial source: what could not be used


def write(sources: Iterable[SourceStatus], folder: Path) -> None:
    """Write status.parquet into `folder`: the availability report, by which two runs can be compared."""
    rows = [asdict(source) | {"reason": CHANGING.sub("...", source.reason)} for source in sources]
    tables.write(folder / "status.parquet", pd.DataFrame(rows))


def counts(sources: Iterable[SourceStatus]) -> dict[str, int]:
    """The number of sources of each status, most frequent first."""
    return dict(Counter(source.status for source in sources).most_common())


def coverage(sources: list[SourceStatus]) -> float:
    """The share of usable sources in [0, 1]. Duplicates are not counted: their music is in the corpus."""
    counted = [source for source in sources if source.status != "duplicate"]
    return sum(source.status in USABLE for source in counted) / max(len(counted), 1)


def check_coverage(sources: list[SourceStatus], minimum: float, table: Path) -> None:
    """Raise UserError with the number of sources of each status unless a share of `minimum`, and not 0, is usable."""
    if (share := coverage(sources)) >= minimum and share > 0:
        return
    listed = ", ".join(f"{count} {status}" for status, count in counts(sources).items())
    raise UserError(
        f"only {share:.1%} of {len(sources)} sources are usable, less than prepare.corpus.min_coverage of "
        f"{minimum:.1%} ({listed}); {table} has the reason for each: fix them, or lower min_coverage in params.yaml"
    )
