"""MusicCaps' table of captions: find it, check it and select rows."""

import csv
from dataclasses import dataclass
from pathlib import Path

from eisbach.data.musiccaps.download import Segment
from eisbach.data.recorded.captions import parse_aspects
from eisbach.data.status import USABLE
from eisbach.errors import UserError
from eisbach.pipeline import tables
from eisbach.pipeline.params import MusicCaps
from eisbach.seeds import derive

TABLE = "musiccaps-public.csv"
COLUMNS = {
    "ytid", "start_s", "end_s", "audioset_positive_labels", "aspect_list", "caption", "author_id",
    "is_balanced_subset", "is_audioset_eval",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    segment: Segment
    caption: str
    aspects: list[str]
    balanced: bool
    evaluation: bool
    facts: dict[str, str]  # copied into the manifest


def find(corpus: MusicCaps) -> Path:
    """The table in `corpus.path`, else the hub's. Raises UserError when there is neither."""
    local = Path(corpus.path) / TABLE
    if local.exists():
        return local
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download("google/MusicCaps", TABLE, repo_type="dataset"))
    except Exception as error:  # the hub's client raises many types when there is no network
        raise UserError(
            f"{local} is missing, and the hub's google/MusicCaps cannot be reached ({type(error).__name__}); put "
            f"{TABLE} into {corpus.path}"
        ) from error


def read(path: Path, count: int) -> list[Row]:
    """The rows of the table. Raises UserError for missing columns, invalid values and other than `count` unique ids."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the table {path} cannot be read ({error}); download it again") from error
    if missing := COLUMNS - set(lines[0] if lines else ()):
        raise UserError(f"the table {path} lacks the columns {', '.join(sorted(missing))}; download it again")
    rows = []
    for number, line in enumerate(lines, 2):
        try:
            rows.append(_row(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"row {number} of {path} cannot be read ({error}); download the table again") from error
    unique = len({row.segment.id for row in rows})
    if unique != count or len(rows) != count:
        raise UserError(
            f"the table {path} has {len(rows)} rows and {unique} ids, not {count}; download it again, or set "
            "prepare.corpus.rows in params.yaml if it is your own table"
        )
    return rows


def _row(line: dict[str, str]) -> Row:
    flag = {"True": True, "False": False}
    segment = Segment(line["ytid"], float(line["start_s"]), float(line["end_s"]))
    if not 0 <= segment.start < segment.end < float("inf"):
        raise ValueError(f"{line['start_s']} to {line['end_s']} is not a range of seconds")
    return Row(
        segment,
        " ".join(line["caption"].split()),
        parse_aspects(line["aspect_list"]),
        flag[line["is_balanced_subset"]],
        flag[line["is_audioset_eval"]],
        {name: line[name] for name in ("start_s", "audioset_positive_labels", "author_id")},
    )


def select(corpus: MusicCaps, seed: int) -> list[Row]:
    """The rows that the settings select, in the table's order. Raises UserError when there are none."""
    rows = read(find(corpus), corpus.rows)
    kept = {
        "all": rows,
        "train": [row for row in rows if not row.evaluation],
        "eval": [row for row in rows if row.evaluation],
        "balanced": [row for row in rows if row.balanced],
    }[corpus.subset]
    if corpus.among:
        table = tables.read(corpus.among)
        available = set(table.loc[table["status"].isin(USABLE), "name"])
        kept = [row for row in kept if row.segment.id in available]
    if corpus.limit:
        first = sorted(kept, key=lambda row: derive(seed, "limit", row.segment.id))[: corpus.limit]
        chosen = {row.segment.id for row in first}
        kept = [row for row in kept if row.segment.id in chosen]
    if not kept:
        raise UserError(
            f"no row is in prepare.corpus.subset '{corpus.subset}' and ok in prepare.corpus.among '{corpus.among}'; "
            "change one of them in params.yaml"
        )
    return kept
