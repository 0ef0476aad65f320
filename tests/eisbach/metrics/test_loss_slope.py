"""The slope of the log loss ratio on a clip's weight and label."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from eisbach.metrics import loss_slope

CLIPS, TIMES = 7, 3


def grid(seed: int = 0) -> pd.DataFrame:
    """A baseline's losses on every clip at every time."""
    draw = np.random.default_rng(seed)
    clips = pd.DataFrame(
        {
            "clip_id": [f"c{i}" for i in range(CLIPS)],
            "w0": draw.uniform(0.1, 0.9, CLIPS),
            "contrast": draw.random(CLIPS),
        }
    )
    table = clips.merge(pd.DataFrame({"t": np.linspace(0.1, 0.9, TIMES)}), how="cross")
    return table.assign(loss=draw.uniform(0.2, 2, len(table)))


@given(st.floats(-0.3, 0.3), st.integers(0, 99))
def test_a_power_of_w0_on_the_loss_is_found_whatever_the_losses(power, seed):
    baseline = grid(seed)
    arm = baseline.assign(loss=baseline["loss"] * baseline["w0"] ** power)
    assert loss_slope.slopes(arm, baseline)["loss_slope/log_w0"] == pytest.approx(power, abs=1e-9)


def test_the_slopes_are_scipys_on_the_clips_means():
    baseline, arm = grid(), grid().assign(loss=grid(1)["loss"])
    ratio = np.log(arm["loss"] / baseline["loss"]).groupby(arm["clip_id"]).mean()
    clips = arm.groupby("clip_id")[["w0", "contrast"]].first()
    found = loss_slope.slopes(arm, baseline)
    assert found["loss_slope/log_w0"] == pytest.approx(stats.linregress(np.log(clips["w0"]), ratio).slope)
    assert found["loss_slope/label"] == pytest.approx(stats.linregress(clips["contrast"], ratio).slope)


def test_rows_are_matched_by_clip_and_time_not_by_order():
    baseline, arm = grid(), grid().assign(loss=grid(1)["loss"])
    shuffled = loss_slope.slopes(arm.sample(frac=1, random_state=0), baseline)
    assert shuffled == pytest.approx(loss_slope.slopes(arm, baseline))


def test_a_common_factor_is_no_slope():
    baseline = grid()
    found = loss_slope.slopes(baseline.assign(loss=3 * baseline["loss"]), baseline)
    assert list(found.values()) == pytest.approx([0, 0], abs=1e-12)


def test_equal_labels_have_no_slope_and_other_grids_are_refused():
    table = grid().assign(contrast=0.5)
    assert np.isnan(loss_slope.slopes(table, table)["loss_slope/label"])
    with pytest.raises(ValueError, match="the arm has 21 losses, the baseline 20, and 20 match"):
        loss_slope.slopes(table, table.iloc[1:])
