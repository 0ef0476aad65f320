"""The manifest: one row per clip, for every corpus alike. Core columns have fixed types; a corpus may add its own."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from eisbach.errors import UserError
from eisbach.files import replacing

CORE = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # the corpus: scores, musiccaps, folder
        pa.field("piece", pa.string(), nullable=False),  # what must not be shared between splits
        pa.field("split", pa.string(), nullable=False),
        pa.field("caption", pa.string(), nullable=False),
        pa.field("aspect_list", pa.list_(pa.string()), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("licence", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),  # of the audio file
        pa.field("contrast", pa.float64()),  # in [0, 1]; null where it is not known
        pa.field("contrast_class", pa.string()),  # flat, middle, contrast; null likewise
    ]
)


def write(rows: list[dict], path: str | Path) -> None:
    """Write rows as parquet, core columns first, then the corpus's own in the order of the first row.

    Raises ValueError for a repeated clip_id, a missing core value or a piece in two splits: a fault of the caller.
    """
    _check(rows)
    own = [name for name in rows[0] if name not in CORE.names]
    table = pa.table(
        {
            **{field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in CORE},
            **{name: pa.array([row[name] for row in rows]) for name in own},
        }
    )
    table = table.cast(pa.schema([*CORE, *(table.schema.field(name) for name in own)]))
    with replacing(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")


def read(path: str | Path) -> list[dict]:
    """The rows of a manifest, in its order. Raises UserError when it is missing, damaged or lacks a core column."""
    try:
        table = parquet.read_table(path)
    except FileNotFoundError:
        raise UserError(f"the manifest {path} is missing; run `dvc repro prepare`") from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"the manifest {path} is damaged ({' '.join(str(error).split())}); run `dvc repro -f prepare`"
        ) from error
    if missing := [name for name in CORE.names if name not in table.column_names]:
        raise UserError(f"the manifest {path} lacks the columns {', '.join(missing)}; run `dvc repro -f prepare`")
    return table.to_pylist()


def _check(rows: list[dict]) -> None:
    if not rows:
        raise ValueError("a manifest needs at least one row")
    ids = [row["clip_id"] for row in rows]
    if len(set(ids)) < len(ids):
        raise ValueError(f"clip_id {next(name for name in ids if ids.count(name) > 1)} stands twice in the manifest")
    split: dict[str, str] = {}
    for row in rows:
        if empty := [field.name for field in CORE if not field.nullable and row.get(field.name) is None]:
            raise ValueError(f"clip {row['clip_id']} lacks {', '.join(empty)}")
        if split.setdefault(row["piece"], row["split"]) != row["split"]:
            raise ValueError(f"piece {row['piece']} is both in {split[row['piece']]} and in {row['split']}")
