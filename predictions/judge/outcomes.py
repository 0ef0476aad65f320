"""Tables of outcomes: read, checked, and pivoted once for each regime and run, so that arms pair by seed."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from eisbach.arms import Arm
from eisbach.errors import UserError
from eisbach.pipeline import outcomes, paths, tables
from predictions.judge.verdict import Table

TOYS = paths.TOYS / "outcomes.parquet"
KEY, COLUMNS = list(outcomes.KEY), list(outcomes.COLUMNS)


class Missing(Exception):
    """The table lacks rows that a verdict needs; the message completes "not tested: "."""


def of_pipeline(seeds: Iterable[int]) -> list[Path]:
    """The tables that the pipeline has written so far, for these seeds of the real model."""
    wanted = [TOYS, paths.BETWEEN_SEEDS, *(paths.EVALUATION / str(seed) / "outcomes.parquet" for seed in seeds)]
    return [path for path in wanted if path.is_file()]


def read(paths: Iterable[Path]) -> tuple[pd.DataFrame, list[Table]]:
    """All tables as one, with a further column `table` that holds the path, and a description of each.

    Raises UserError naming the file when one is damaged or is not a table of outcomes, and as `check` does.
    """
    parts, sources = [outcomes.empty().assign(table="")], []
    for path in paths:
        part = tables.read(path)
        if missing := [name for name in COLUMNS if name not in part]:
            raise UserError(f"{path} has no column '{missing[0]}'; a table of outcomes has {', '.join(COLUMNS)}")
        parts.append(part[COLUMNS].assign(table=str(path)))
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        sources.append(Table(path=str(path), sha256=digest, rows=len(part), seal=part.attrs.get(outcomes.SEAL, "")))
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    check(table)
    for part in parts:
        try:
            outcomes.check(part[COLUMNS])
        except ValueError as error:
            raise UserError(f"{part['table'].iloc[0]}: {error}; run the stage that wrote it again") from error
    return table, sources


def check(table: pd.DataFrame) -> None:
    """Raises UserError naming the first duplicate row, and the first whose value is not finite."""
    duplicates = table[table.duplicated(KEY, keep=False)]
    if len(duplicates):
        row = duplicates.iloc[0]
        same = (table[KEY].fillna(-1) == row[KEY].fillna(-1)).all(1)
        where = " and ".join(dict.fromkeys(table.loc[same, "table"]))
        raise UserError(f"duplicate row in {where}: {_name(row)}; run the stage that wrote it again")
    wrong = table[~np.isfinite(pd.to_numeric(table["value"], errors="coerce"))]
    if len(wrong):
        row = wrong.iloc[0]
        raise UserError(
            f"a value in {row['table']} is {row['value']}: {_name(row)} ({len(wrong)} such rows); "
            "a metric must give a finite number or no row"
        )


def check_seeds(rows: pd.DataFrame) -> None:
    """Raises UserError naming two seeds of one regime and run whose numbers all agree: the same run counted twice.

    Metrics of pairs of seeds are not compared, nor is whether a run diverged.
    """
    own = rows[~rows["metric"].str.contains("/between_seeds") & (rows["metric"] != "diverged")]
    wide = own.set_index(KEY)["value"].unstack("seed")
    copies = wide.columns[wide.T.duplicated()]
    if len(copies):
        original = next(seed for seed in wide if wide[seed].equals(wide[copies[0]]))
        raise UserError(
            f"seeds {original} and {copies[0]} of regime '{rows['regime'].iloc[0]}' agree in all {len(wide)} numbers: "
            "they are one run; run the second seed itself, or remove it"
        )


def base_metric(metric: str) -> str:
    """The metric of one set of samples that `metric` is computed from: `gap/vendi`, `vendi/between_seeds` -> `vendi`.

    Only that one has known groups of real clips. A metric computed from an invalid one is invalid too.
    """
    return metric.removeprefix("gap/").partition("/between_seeds")[0]


def _name(row: pd.Series) -> str:
    return ", ".join(f"{key} {row[key]}" for key in KEY)


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of one regime and run."""

    adapter: str  # of arms that name none
    wide: dict[tuple[str, str], pd.DataFrame]  # (optimizer, adapter) -> index seed, columns (metric, arm)
    arms: dict[str, Arm]  # by their text, as in the columns
    tables: dict[tuple[str, str], tuple[str, ...]]  # (optimizer, metric) -> paths

    def values(self, arm: Arm, metric: str, optimizer: str = "adamw") -> pd.Series:
        """One value per seed, index `seed` ascending, of the arm with this metric and optimiser.

        An arm without lambda in the table is found by its name alone, and so is one for which `arm` has no lambda.
        Raises Missing when there are none, and UserError when `arm` has no lambda and the table has several.
        """
        if (optimizer, metric) not in self.tables:
            raise Missing(f"the table has no metric '{metric}'")
        wide = self.wide.get((optimizer, arm.adapter or self.adapter), pd.DataFrame())
        of_metric = wide[metric] if metric in wide else pd.DataFrame()
        lams = {text: self.arms[text].lam for text in of_metric if self.arms[text].name == arm.name}
        if arm.lam is not None and any(lam is not None for lam in lams.values()):
            lams = {text: lam for text, lam in lams.items() if lam is not None and np.isclose(lam, arm.lam)}
        if not lams:
            raise Missing(f"the table has no arm '{arm}' with metric '{metric}'")
        if len(lams) > 1:
            raise UserError(
                f"arm '{arm}' has several values of lam for metric '{metric}': {', '.join(sorted(lams))}; "
                "name one in the registry"
            )
        return of_metric[next(iter(lams))].dropna()


def pivot(rows: pd.DataFrame, adapter: str) -> Outcomes:
    """The rows of one regime and run by optimiser and adapter. Raises UserError when lambdas agree to six digits."""
    arms = [Arm(name, None if math.isnan(lam) else lam) for name, lam in zip(rows["arm"], rows["lam"], strict=True)]
    rows = rows.assign(arm=list(map(str, arms)), value=rows["value"].astype(float))
    wide = {}
    for key, part in rows.groupby(["optimizer", "adapter"]):
        same = part[part.duplicated(["seed", "metric", "arm"])]
        if len(same):
            raise UserError(f"arm '{same['arm'].iloc[0]}' has two lambdas that agree to six digits; keep one of them")
        wide[key] = part.pivot(index="seed", columns=["metric", "arm"], values="value").sort_index()
    found = rows.groupby(["optimizer", "metric"])["table"].unique().items()
    return Outcomes(adapter, wide, {str(arm): arm for arm in arms}, {key: tuple(sorted(paths)) for key, paths in found})


def paired(series: dict[str, pd.Series]) -> pd.DataFrame:
    """The series as columns over the same seeds. Raises UserError naming an arm and a seed that it lacks."""
    wide = pd.concat(series, axis=1).sort_index()
    lacking = wide.isna()
    if lacking.to_numpy().any():
        seed, arm = lacking.stack().pipe(lambda flags: flags[flags]).index[0]
        raise UserError(
            f"seed {seed} is missing from arm '{arm}', though other arms have it; run it, or remove the seed from all"
        )
    return wide
