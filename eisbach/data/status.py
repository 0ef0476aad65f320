"""The status of every source of a corpus, and the check that enough of them are usable."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from eisbach.errors import UserError
from eisbach.pipeline import tables


@dataclass(frozen=True)
class SourceStatus:
    """One source (a score, a video or a file): one row of status.parquet."""

    name: str
    status: str  # "ok", or the kind of fault
    reason: str = ""  # the fault in a sentence
    attempts: int = 1
    clips: int = 0
    sha256: str = ""  # of the source's file; empty where there is none


def write(sources: Iterable[SourceStatus], folder: Path) -> None:
    """Write status.parquet into `folder`: the availability report, by which two runs can be compared."""
    tables.write(folder / "status.parquet", pd.DataFrame([asdict(source) for source in sources]))


def counts(sources: Iterable[SourceStatus]) -> dict[str, int]:
    """The number of sources of each status, most frequent first."""
    return dict(Counter(source.status for source in sources).most_common())


def coverage(sources: list[SourceStatus]) -> float:
    """The share of usable sources in [0, 1]. Duplicates are not counted: their music is in the corpus."""
    counted = [source for source in sources if source.status != "duplicate"]
    return sum(source.status == "ok" for source in counted) / max(len(counted), 1)


def check_coverage(sources: list[SourceStatus], minimum: float, table: Path) -> None:
    """Raise UserError with the number of sources of each status unless a share of `minimum`, and not 0, is usable."""
    if (share := coverage(sources)) >= minimum and share > 0:
        return
    listed = ", ".join(f"{count} {status}" for status, count in counts(sources).items())
    raise UserError(
        f"only {share:.1%} of {len(sources)} sources are usable, less than prepare.corpus.min_coverage of "
        f"{minimum:.1%} ({listed}); {table} has the reason for each: fix them, or lower min_coverage in params.yaml"
    )
