"""Effects and their paired standard errors from the tables of `benchmarks.settings.run`."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from eisbach.metrics import loss_slope

SETTING = ["lr", "batch", "steps"]
MOST_SEEDS = 99


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.concat(map(pd.read_parquet, sorted(folder.glob(f"{name}-*.parquet"))), ignore_index=True)


def outcomes(folder: Path, clips: int) -> pd.DataFrame:
    """One row per setting, seed, arm and outcome: the value minus the baseline's. `clips` limits the held-out clips."""
    rows = []
    for key, table in read(folder, "losses").groupby([*SETTING, "seed"]):
        names = table[["clip_id", "contrast"]].drop_duplicates().sort_values("contrast")["clip_id"].to_numpy()
        chosen = names[np.linspace(0, len(names) - 1, min(clips, len(names))).round().astype(int)]
        arms = dict(list(table[table["clip_id"].isin(chosen)].groupby("arm")))
        for arm, one in arms.items():
            difference = one["loss"].mean() - arms["baseline"]["loss"].mean()
            values = loss_slope.slopes(one, arms["baseline"]) | {"heldout_loss": difference}
            rows += [(*key, arm, name, value) for name, value in values.items()]
    for key, table in read(folder, "samples").groupby([*SETTING, "seed"]):
        means = table.groupby("arm").mean(numeric_only=True)
        for arm, own in means.iterrows():
            values = {name: own[name] for name in ("distance_baseline", "distance_base", "distance_noise")}
            values["dynamic_range_db"] = own["dynamic_range_db"] - means.loc["baseline", "dynamic_range_db"]
            rows += [(*key, arm, name, value) for name, value in values.items()]
    table = pd.DataFrame(rows, columns=[*SETTING, "seed", "arm", "outcome", "value"])
    wide = table.pivot(index=[*SETTING, "seed", "outcome"], columns="arm", values="value")
    sign = np.where(wide.index.get_level_values("outcome").str.startswith("distance"), -1, 1)
    wide["full curriculum"] = (wide["class"] - sign * wide["class_reversed"]) / 2
    return wide.stack().rename("value").reset_index()


def effects(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard error, p and the seeds that p < .01 takes, by setting, outcome and arm."""
    found = table.groupby([*SETTING, "outcome", "arm"])["value"].agg(["mean", "std", "count"])
    found["se"] = found["std"] / np.sqrt(found["count"])
    found["p"] = 2 * stats.t.sf((found["mean"] / found["se"]).abs(), found["count"] - 1)
    found["seeds for .01"] = [seeds_needed(*pair) for pair in found[["mean", "std"]].itertuples(index=False)]
    return found


def seeds_needed(mean: float, deviation: float, level: float = 0.01) -> float:
    """The least number of seeds whose t test of this mean and standard deviation gives p < `level`; NaN above 99."""
    for count in range(2, MOST_SEEDS + 1):
        if 2 * stats.t.sf(abs(mean) / deviation * np.sqrt(count), count - 1) < level:
            return count
    return float("nan")


def spreads(folder: Path) -> pd.Series:
    """The spread of every arm's factors, standard deviation over mean, by setting."""
    factors = read(folder, "factors").astype({"factor": float})
    return factors.groupby([*SETTING, "arm"])["factor"].agg(lambda x: x.std() / x.mean()).rename("spread of factors")
