"""Paired differences over seeds: the seed is the block, so each seed gives one number per arm."""

import numpy as np
import pandas as pd
from scipy import stats

KEYS = {"arm", "seed", "prompt", "noise", "contrast", "regime"}  # of a sample; every other number is a metric


def seed_means(losses: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per (arm, seed, metric) with the mean `value`, of losses over clips and t, of others over samples."""
    heldout = losses.groupby(["arm", "seed"])["loss"].mean().rename("heldout_loss")
    names = [name for name in samples.select_dtypes("number") if name not in KEYS]
    measured = samples.groupby(["arm", "seed"])[names].mean()
    wide = heldout.to_frame().join(measured, how="outer")
    return wide.reset_index().melt(["arm", "seed"], var_name="metric", value_name="value")


def paired_differences(means: pd.DataFrame, reference: str) -> pd.DataFrame:
    """One row per (metric, arm other than `reference`): both means, their mean difference over seeds, 95 % interval.

    The interval is Student's, NaN with fewer than two seeds. Seeds that an arm lacks are left out of its pairs.
    """
    rows = []
    for metric in means["metric"].unique():
        wide = means[means["metric"] == metric].pivot(index="seed", columns="arm", values="value")
        for arm in wide.columns.drop(reference):
            pairs = wide[[reference, arm]].dropna()
            low, high = student_interval((pairs[arm] - pairs[reference]).to_numpy())
            rows.append(
                {
                    "metric": metric,
                    "arm": arm,
                    "seeds": len(pairs),
                    "reference_mean": pairs[reference].mean(),
                    "arm_mean": pairs[arm].mean(),
                    "difference": (pairs[arm] - pairs[reference]).mean(),
                    "low": low,
                    "high": high,
                }
            )
    return pd.DataFrame(rows)


def student_interval(differences: np.ndarray) -> tuple[float, float]:
    """Student's 95 % interval of the mean of `[n]` differences; NaN for fewer than two values."""
    if len(differences) < 2:
        return float("nan"), float("nan")
    if np.ptp(differences) == 0:
        return float(differences[0]), float(differences[0])
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    return float(low), float(high)
