"""MusicCaps' table: where it is, what it must be, and which of its rows are asked for."""

import csv
from dataclasses import dataclass
from pathlib import Path

from eisbach.data.musiccaps.download import Wanted
from eisbach.data.recorded import labels
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
    """One line of the table."""

    wanted: Wanted
    caption: str
    aspects: list[str]
    balanced: bool
    evaluation: bool
    facts: dict[str, str]


def find(corpus: MusicCaps) -> Path:
    """The table in the folder, or the hub's. Raises UserError when there is neither."""
    own = Path(corpus.path) / TABLE
    if own.exists():
        return own
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download("google/MusicCaps", TABLE, repo_type="dataset"))
    except Exception as error:  # the hub's client has a dozen words for having no network
        raise UserError(
            f"{own} is not there, and the hub's google/MusicCaps cannot be reached ({type(error).__name__}); put "
            f"{TABLE} into {corpus.path}"
        ) from error


def read(path: Path, count: int) -> list[Row]:
    """The table. Raises UserError naming what is wrong with it: columns, their values, how many rows there are."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the table {path} cannot be read ({error}); fetch it again") from error
    if missing := COLUMNS - set(lines[0] if lines else ()):
        raise UserError(f"the table {path} lacks the columns {', '.join(sorted(missing))}; fetch it again")
    rows = []
    for number, line in enumerate(lines, 2):
        try:
            rows.append(_row(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"row {number} of {path} cannot be read ({error}); fetch the table again") from error
    unique = len({row.wanted.id for row in rows})
    if unique != count or len(rows) != count:
        raise UserError(
            f"the table {path} has {len(rows)} rows and {unique} ids, not {count}; fetch it again, or set "
            "prepare.corpus.rows in params.yaml if it is a table of your own"
        )
    return rows


def _row(line: dict[str, str]) -> Row:
    flag = {"True": True, "False": False}
    wanted = Wanted(line["ytid"], float(line["start_s"]), float(line["end_s"]))
    if not 0 <= wanted.start < wanted.end < float("inf"):
        raise ValueError(f"from {line['start_s']} to {line['end_s']} is no stretch of time")
    return Row(
        wanted,
        " ".join(line["caption"].split()),
        labels.aspects(line["aspect_list"]),
        flag[line["is_balanced_subset"]],
        flag[line["is_audioset_eval"]],
        {name: line[name] for name in ("start_s", "audioset_positive_labels", "author_id")},
    )


def select(corpus: MusicCaps, seed: int) -> list[Row]:
    """The rows that are asked for, in the table's order. Raises UserError when there are none."""
    rows = read(find(corpus), corpus.rows)
    kept = {
        "all": rows,
        "train": [row for row in rows if not row.evaluation],
        "eval": [row for row in rows if row.evaluation],
        "balanced": [row for row in rows if row.balanced],
    }[corpus.subset]
    if corpus.among:
        table = tables.read(corpus.among)
        had = set(table.loc[table["status"] == "ok", "name"])
        kept = [row for row in kept if row.wanted.id in had]
    if corpus.limit:
        first = sorted(kept, key=lambda row: derive(seed, "limit", row.wanted.id))[: corpus.limit]
        chosen = {row.wanted.id for row in first}
        kept = [row for row in kept if row.wanted.id in chosen]
    if not kept:
        raise UserError(f"subset '{corpus.subset}' of prepare.corpus, among '{corpus.among}', has no clip; widen it")
    return kept
