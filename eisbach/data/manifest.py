"""The manifest: one row per clip. All corpora share the core columns and their types; a corpus may add columns.

`CORE` has the types, `_schema` the constraints on the values; both are checked on writing and on reading.
"""

from collections import Counter
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from eisbach.data.contrast import CLASSES
from eisbach.errors import UserError
from eisbach.pipeline import paths
from eisbach.pipeline.files import replacing

SOURCES = ("scores", "musiccaps", "folder")
CONTRAST_SOURCES = ("arrangement", "measured")  # known from the arrangement, or the rank of a measured loudness range
CORE = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # the corpus
        pa.field("piece", pa.string(), nullable=False),  # the unit of the split: no piece is in two splits
        pa.field("split", pa.string(), nullable=False),
        pa.field("caption", pa.string(), nullable=False),
        pa.field("aspect_list", pa.list_(pa.string()), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("licence", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),  # of the clip's file
        pa.field("contrast", pa.float64()),  # in [0, 1]; null where it is neither known nor measured
        pa.field("contrast_class", pa.string()),  # one of CLASSES; null likewise
        pa.field("contrast_source", pa.string()),  # one of CONTRAST_SOURCES; null likewise
    ]
)


def write(rows: list[dict], path: str | Path) -> None:
    """Write rows as parquet: core columns first, then the corpus's other columns in the order of the first row.

    Raises ValueError for rows that break the schema, which is a bug of the caller.
    """
    if not rows:
        raise ValueError("a manifest needs at least one row")
    added = [name for name in rows[0] if name not in CORE.names]
    table = pa.table(
        {
            **{field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in CORE},
            **{name: pa.array([row[name] for row in rows]) for name in added},
        }
    )
    if fault := _fault(table):
        raise ValueError(f"the manifest of {rows[0].get('source')}: {fault}")
    table = table.cast(pa.schema([*CORE, *(table.schema.field(name) for name in added)]))
    with replacing(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")


def read(path: str | Path) -> list[dict]:
    """The rows of a manifest, in its order. Raises UserError when it is missing, damaged or breaks the schema."""
    try:
        table = parquet.read_table(path)
    except FileNotFoundError:
        raise paths.missing(path) from None
    except (pa.ArrowException, OSError) as error:
        raise paths.damaged(path, error) from error
    if fault := _fault(table):
        raise UserError(f"the manifest {path}: {fault}; run `dvc repro -f prepare`")
    return table.to_pylist()


def counts(rows: list[dict]) -> dict:
    """The number of clips and pieces, and of clips by split and by contrast class."""
    return {
        "clips": len(rows),
        "pieces": len({row["piece"] for row in rows}),
        "clips_by_split": dict(Counter(row["split"] for row in rows)),
        "clips_by_class": dict(Counter(row["contrast_class"] for row in rows)),
    }


@cache
def _schema():
    # Imported here, because pandera takes a second to import and worker processes do not need it.
    import pandera.pandas as pandera

    among = pandera.Check.isin
    checks = {
        "source": among(SOURCES),
        "seconds": pandera.Check.gt(0),
        "contrast": pandera.Check.in_range(0, 1),
        "contrast_class": among(CLASSES),
        "contrast_source": among(CONTRAST_SOURCES),
    }
    columns = {
        field.name: pandera.Column(
            None, checks.get(field.name), nullable=field.nullable, unique=field.name == "clip_id"
        )
        for field in CORE
    }
    one_split = pandera.Check(
        lambda table: table.groupby("piece")["split"].transform("nunique") <= 1, name="every piece in one split"
    )
    return pandera.DataFrameSchema(columns, checks=one_split)


def _fault(table: pa.Table) -> str:
    """The first fault of a table as a phrase; empty when there is none."""
    import pandera.errors

    if missing := [name for name in CORE.names if name not in table.column_names]:
        return f"it lacks the columns {', '.join(missing)}"
    try:
        frame = table.select(CORE.names).cast(pa.schema([field.with_nullable(True) for field in CORE])).to_pandas()
    except pa.ArrowException as error:
        return f"a column has the wrong type ({' '.join(str(error).split())})"
    try:
        _schema().validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        row = frame.loc[first["index"]]
        return f"clip {row['clip_id']} of piece {row['piece']} breaks '{first['check']}' of {first['column']}"
    return ""
