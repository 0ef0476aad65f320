"""Which clips an arm's training favoured: the slope of a clip's mean log loss ratio, arm over baseline.

Both losses are on the same grid of clips, noise and t, so the ratio is paired. A negative slope says that the arm
learned more than the baseline about clips with a high value of the axis. Two axes: `log_w0`, the log of Eq. 4 of a
clip's clean latents, on which the barrier's weight acts; and `label`, the contrast label in [0, 1].
"""

import numpy as np
import pandas as pd


def slopes(arm: pd.DataFrame, baseline: pd.DataFrame) -> dict[str, float]:
    """`loss_slope/log_w0` and `loss_slope/label`, in units of the natural log of the loss per unit of the axis.

    The tables are `weight_stats.measure_grid`'s on one grid; their rows are matched by (clip_id, t). NaN where an axis
    does not vary between clips. Raises ValueError where the tables are of different grids.
    """
    key = ["clip_id", "t"]
    pairs = arm[[*key, "loss", "w0", "contrast"]].merge(baseline[[*key, "loss"]], on=key, suffixes=("", "_baseline"))
    if not len(arm) == len(baseline) == len(pairs):
        raise ValueError(f"the arm has {len(arm)} losses, the baseline {len(baseline)}, and {len(pairs)} match")
    pairs["ratio"] = np.log(pairs["loss"] / pairs["loss_baseline"])
    clips = pairs.groupby("clip_id")[["ratio", "w0", "contrast"]].mean()
    return {
        "loss_slope/log_w0": slope(np.log(clips["w0"].to_numpy()), clips["ratio"].to_numpy()),
        "loss_slope/label": slope(clips["contrast"].to_numpy(), clips["ratio"].to_numpy()),
    }


def slope(axis: np.ndarray, value: np.ndarray) -> float:
    """The least-squares slope of `value` [n] on `axis` [n]; NaN for a constant axis."""
    deviation = axis - axis.mean()
    spread = deviation @ deviation
    return float(deviation @ value / spread) if spread > 0 else float("nan")
