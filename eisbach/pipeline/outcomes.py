"""The tidy table of outcomes: one row, one number per (regime, arm, seed, metric). Verdicts are made of it."""

import pandas as pd

COLUMNS = ("regime", "arm", "lam", "adapter", "optimizer", "run", "seed", "metric", "value")


def rows(values: dict[str, float], **label: object) -> pd.DataFrame:
    """A row per metric; `label` holds all other columns. `lam` is NaN where an arm has none.

    A metric that is NaN is not defined here, for want of a class or of a second sample, and has no row.
    Raises ValueError when a column is missing.
    """
    table = pd.DataFrame({"metric": list(values), "value": pd.Series(list(values.values()), dtype="float64")})
    table = table.assign(**label)
    if missing := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"outcomes lack the columns {', '.join(missing)}")
    return table.dropna(subset="value").astype({"lam": "float64", "seed": "int64"})[list(COLUMNS)]


def joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One table. Raises ValueError naming the first observation that stands twice."""
    table = pd.concat(tables, ignore_index=True)
    twice = table.duplicated([name for name in COLUMNS if name != "value"])
    if twice.any():
        first = table[twice].iloc[0]
        raise ValueError(f"{first['metric']} of arm {first['arm']}, seed {first['seed']} stands twice")
    return table
