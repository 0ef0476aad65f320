"""The tidy table of outcomes: one row, one observation; read, checked, and turned into one number per seed."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowInvalid

from eisbach import metrics
from eisbach.errors import UserError
from eisbach.pipeline import paths, tables
from predictions.registry.schema import Arm

COLUMNS = ["regime", "arm", "lam", "adapter", "optimizer", "run", "seed", "metric", "value"]
KEY = COLUMNS[:-1]
TOYS = paths.TOYS / "outcomes.parquet"


FITNESS = Path(metrics.__file__).with_name("validity.json")


def unfit(path: Path = FITNESS) -> dict[str, str]:
    """Metrics of sound that do not tell known groups of real clips apart, with the reason; none where it is unknown."""
    measured = json.loads(path.read_text()) if path.is_file() else {}
    return {name: facts["reason"] for name, facts in measured.items() if not facts["valid"]}


class Missing(Exception):
    """The table has no such rows; the message completes "not tested: "."""


def of_pipeline(seeds: Iterable[int]) -> list[Path]:
    """The tables that the pipeline's stages have written so far, for these seeds of the real model."""
    wanted = [TOYS, paths.BETWEEN_SEEDS, *(paths.EVALUATION / str(seed) / "outcomes.parquet" for seed in seeds)]
    return [path for path in wanted if path.is_file()]


def read(paths: Iterable[Path]) -> tuple[pd.DataFrame, list[dict]]:
    """All tables as one, checked, with a column `table`; and for each its path, SHA-256 and number of rows.

    Raises UserError as `check` does.
    """
    parts, sources = [pd.DataFrame(columns=[*COLUMNS, "table"])], []
    for path in paths:
        try:
            part = tables.read(path)
        except ArrowInvalid as error:
            raise UserError(f"{path} is no parquet file or damaged; run the stage that wrote it again") from error
        if lost := [name for name in COLUMNS if name not in part]:
            raise UserError(f"{path} has no column '{lost[0]}'; a table of outcomes has {', '.join(COLUMNS)}")
        parts.append(part[COLUMNS].assign(table=str(path)))
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        sources.append({"path": str(path), "sha256": digest, "rows": len(part)})
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    check(table)
    return table, sources


def check(table: pd.DataFrame) -> None:
    """Raise UserError naming the first row that stands twice or whose value is not finite."""
    twice = table[table.duplicated(KEY, keep=False)]
    if len(twice):
        row = twice.iloc[0]
        where = " and ".join(dict.fromkeys(table.loc[(table[KEY].fillna(-1) == row[KEY].fillna(-1)).all(1), "table"]))
        raise UserError(f"an observation stands twice in {where}: {_name(row)}; run the stage that wrote it again")
    values = pd.to_numeric(table["value"], errors="coerce")
    wrong = table[~np.isfinite(values)]
    if len(wrong):
        row = wrong.iloc[0]
        raise UserError(
            f"a value in {row['table']} is {row['value']}: {_name(row)} ({len(wrong)} such rows); "
            "a measure must give a finite number or leave the row out"
        )


def known_as(metric: str) -> str:
    """The measure of one set of samples that a metric is made of: its distance to a truth, or the same between seeds.

    Known groups of real clips are there for that one; what it does not hear, they do not hear.
    """
    return metric.removeprefix("gap/").partition("/between_seeds")[0]


def check_seeds(rows: pd.DataFrame) -> None:
    """Raise UserError naming two seeds that agree in every number of one regime and run: one run under two names.

    Of numbers that each seed has for itself: not those of pairs of seeds, nor whether a run diverged.
    """
    own = rows[~rows["metric"].str.contains("/between_seeds") & (rows["metric"] != "diverged")]
    wide = own.set_index(KEY)["value"].unstack("seed")
    copies = wide.columns[wide.T.duplicated()]
    if len(copies):
        original = next(seed for seed in wide if wide[seed].equals(wide[copies[0]]))
        raise UserError(
            f"seeds {original} and {copies[0]} of regime '{rows['regime'].iloc[0]}' agree in all {len(wide)} numbers: "
            "one run under two names counts once; run the seed itself, or take it out"
        )


def _name(row: pd.Series) -> str:
    return ", ".join(f"{key} {row[key]}" for key in KEY)


def seed_values(rows: pd.DataFrame, arm: Arm, metric: str) -> pd.Series:
    """One value per seed, index `seed` ascending, of an arm in the rows of one regime, run and optimiser.

    Raises Missing when there are none, and UserError when the arm stands for several: two lambdas, two adapters.
    """
    of_metric = rows[rows["metric"] == metric]
    if of_metric.empty:
        raise Missing(f"the table has no metric '{metric}'")
    found = of_metric[of_metric["arm"] == arm.name]
    if arm.adapter:
        found = found[found["adapter"] == arm.adapter]
    if arm.lam is not None and not found["lam"].isna().all():
        found = found[np.isclose(found["lam"], arm.lam)]
    if found.empty:
        raise Missing(f"the table has no arm '{arm}' with metric '{metric}'")
    for column in ("lam", "adapter"):
        if found[column].nunique(dropna=False) > 1:
            raise UserError(
                f"arm '{arm}' has several values of {column} for metric '{metric}'; name one in the registry"
            )
    return found.set_index("seed")["value"].astype(float).sort_index()


def paired(series: dict[str, pd.Series]) -> pd.DataFrame:
    """Columns side by side over the same seeds. Raises UserError naming the arm and the seed that one of them lacks."""
    wide = pd.concat(series, axis=1).sort_index()
    lost = wide.isna()
    if lost.to_numpy().any():
        seed, arm = lost.stack().pipe(lambda flags: flags[flags]).index[0]
        raise UserError(
            f"seed {seed} is missing from arm '{arm}', though other arms have it; run it, or leave the seed out of all"
        )
    return wide
