"""The effects that choose the settings, from planted tables."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.settings import analysis

KEYS = {"lr": 1e-3, "batch": 4, "steps": 50}
SLOPES = {"baseline": 0.0, "oracle": -0.01, "class": -0.2, "class_reversed": 0.1}


@pytest.fixture
def folder(tmp_path):
    """Two seeds whose log loss ratio has these slopes on log w0 and on the label."""
    draw = np.random.default_rng(0)
    for seed in (1000, 1001):
        clips = pd.DataFrame({"clip_id": list("abcdefgh"), "contrast": draw.random(8)})
        clips["w0"] = np.exp(clips["contrast"])  # so that both slopes are the same
        loss = draw.uniform(1, 2, 8)
        losses = [clips.assign(arm=arm, t=0.5, loss=loss * np.exp(k * clips["contrast"])) for arm, k in SLOPES.items()]
        rows = [
            {"arm": arm, "prompt": 0, "noise": 0, "dynamic_range_db": 20 + 10 * k, "distance_baseline": abs(k),
             "distance_base": 1.0, "distance_noise": 9.0}
            for arm, k in SLOPES.items()
        ]  # fmt: skip
        factors = [{"arm": arm, "t": 0.5, "factor": 1 + sign * abs(k)} for arm, k in SLOPES.items() for sign in (-1, 1)]
        for name, table in (("losses", pd.concat(losses)), ("samples", rows), ("factors", factors)):
            pd.DataFrame(table).assign(seed=seed, **KEYS).to_parquet(tmp_path / f"{name}-{seed}.parquet")
    return tmp_path


def test_planted_effects_are_found_and_the_full_curriculum_is_half_their_difference(folder):
    found = analysis.outcomes(folder, 1000).groupby(["outcome", "arm"])["value"].mean()
    for outcome in ("loss_slope/log_w0", "loss_slope/label"):
        assert found[outcome, "oracle"] == pytest.approx(-0.01)
        assert found[outcome, "full curriculum"] == pytest.approx(-0.15)
    assert found["dynamic_range_db", "full curriculum"] == pytest.approx(-1.5)
    assert found["distance_baseline", "full curriculum"] == pytest.approx(0.15)


def test_fewer_clips_keep_the_ends_of_the_contrast(folder):
    assert len(analysis.outcomes(folder, 4)) == len(analysis.outcomes(folder, 1000))


def test_the_seeds_needed_are_the_first_number_at_which_the_test_passes():
    count = analysis.seeds_needed(1.0, 1.0)
    p = [2 * stats.t.sf(np.sqrt(n), n - 1) for n in (count - 1, count)]
    assert p[0] >= 0.01 > p[1]
    assert np.isnan(analysis.seeds_needed(0.01, 1.0))


def test_spreads_are_standard_deviation_over_mean(folder):
    found = analysis.spreads(folder).groupby("arm").first()
    assert found["baseline"] == 0
    assert found["class"] == pytest.approx(np.std([0.8, 1.2] * 2, ddof=1))
