"""The table of outcomes: one number per regime, arm, optimiser, run, seed and metric. Verdicts are made of it.

This is the only place that lists its columns; the toys, `evaluate`, `between_seeds`, the judge and the report use it.
"""

import json
from collections.abc import Iterable

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaError

from eisbach.pipeline import paths

SCHEMA = pa.DataFrameSchema(
    {
        "regime": pa.Column(str),  # the system, such as "small" or "trajectories/c32"
        "arm": pa.Column(str),
        "lam": pa.Column("float64", nullable=True),  # NaN where the arm has no lambda
        "adapter": pa.Column(str),  # "dora", "lora", "full" where all weights are trained, "none" for the base model
        "optimizer": pa.Column(str),
        "run": pa.Column(str),  # "short", "converged" or, where nothing is trained, ""
        "seed": pa.Column("int64"),
        "metric": pa.Column(str),
        "value": pa.Column("float64"),
    },
    strict=True,
    ordered=True,
)
COLUMNS = tuple(SCHEMA.columns)
KEY = COLUMNS[:-1]  # identifies an observation
SEAL = "seal"
MODEL = KEY[:-1]  # identifies a trained model: the leading columns of the toys' other tables


def empty() -> pd.DataFrame:
    """A table without rows, with the columns in order."""
    return pd.DataFrame(columns=list(COLUMNS))


def rows(values: dict[str, float], **label: object) -> pd.DataFrame:
    """One row per metric of `values`; `label` holds all other columns. `lam` is NaN where an arm has none.

    A metric that is NaN is undefined (no clip of a class, a single sample) and gets no row.
    Raises ValueError when a column is missing.
    """
    table = pd.DataFrame({"metric": list(values), "value": pd.Series(list(values.values()), dtype="float64")})
    table = table.assign(**label)
    if missing := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"outcomes lack the columns {', '.join(missing)}")
    return table.dropna(subset="value").astype({"lam": "float64", "seed": "int64"})[list(COLUMNS)]


def joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """All `tables` as one checked table, which carries the seal of a sealed run in `attrs`; parquet keeps them.

    Raises ValueError naming the first duplicate row, and for a wrong column.
    """
    table = pd.concat(list(tables), ignore_index=True)
    duplicate = table[table.duplicated(list(KEY))]
    if len(duplicate):
        first = duplicate.iloc[0]
        raise ValueError(f"duplicate row: {first['metric']} of arm {first['arm']}, seed {first['seed']}")
    table = check(table)
    if seal := _seal():
        table.attrs[SEAL] = seal
    return table


def _seal() -> str:
    """The hash of the seal under which this run is made (predictions/registry/seal.py); empty without one."""
    if not paths.REGISTRATION.is_file():
        return ""
    return json.loads(paths.REGISTRATION.read_text()).get(SEAL, "")


def check(table: pd.DataFrame) -> pd.DataFrame:
    """`table` itself. Raises ValueError naming the column when one is missing, unknown or of another type."""
    if table.empty:
        return table
    try:
        return SCHEMA.validate(table)
    except SchemaError as error:
        raise ValueError(f"not a table of outcomes: {' '.join(str(error).split())}") from error
