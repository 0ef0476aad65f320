import math

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eisbach.barrier import barrier_weight, belief_gap
from eisbach.seeds import torch_generator
from predictions.report import weights


@pytest.mark.parametrize(("channels", "variance"), [(16, 0.5), (64, 1.0), (64, 2.0), (256, 1.5)])
def test_the_formula_for_white_noise_agrees_with_the_barrier_on_drawn_noise(channels, variance):
    length = 4000
    noise = torch.randn(8, channels, length, generator=torch_generator(0, "white noise"), dtype=torch.float64)
    noise *= math.sqrt(variance)
    gap, weight = weights.white_noise(channels, length, variance)
    assert belief_gap(noise).mean().item() == pytest.approx(gap, rel=0.03)
    assert barrier_weight(noise).mean().item() == pytest.approx(weight, rel=0.01)


@given(st.integers(64, 4096), st.integers(8, 4096), st.floats(0.01, 0.2))
def test_for_many_channels_the_gap_of_white_noise_is_variance_squared_over_c_log_t(channels, length, variance):
    gap, _ = weights.white_noise(channels, length, variance)
    assert gap == pytest.approx(variance**2 / channels / math.log(length), rel=0.01)


def test_noise_whose_exponential_has_no_mean_concentrates_on_one_position():
    assert weights.white_noise(2, 100, 1.0) == (1.0, 1.0)


def test_geometries_are_the_baselines_weight_metrics_averaged_over_seeds():
    rows = [("small", "baseline", "w/t<0.2", seed, value) for seed, value in ((0, 0.2), (1, 0.4))]
    rows += [("small", "barrier", "w/t<0.2", 0, 9.0), ("small", "baseline", "vendi", 0, 9.0)]
    table = pd.DataFrame(rows, columns=["regime", "arm", "metric", "seed", "value"]).assign(run="short")
    (row,) = weights.geometries(table)
    assert (row["value"], row["seeds"]) == (pytest.approx(0.3), 2)
