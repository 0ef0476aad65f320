import numpy as np
import pandas as pd
import pytest

from eisbach.metrics import weights
from eisbach.pipeline import outcomes


def census(rule, clips: int = 12) -> pd.DataFrame:
    """Rows of every clip at the middle of every tenth of t; `rule(t, contrast, clip)` gives w, B and loss."""
    rows = []
    for clip in range(clips):
        name = ("flat", "contrast", "middle")[clip % 3]
        for t in np.arange(0.05, 1, 0.1):
            w, B, loss = rule(t, name == "contrast", clip)
            rows.append({"clip_id": clip, "contrast_class": name, "t": t, "w": w, "B": B, "loss": loss})
    return pd.DataFrame(rows)


def test_weight_metrics_of_a_known_law():
    table = census(lambda t, contrast, clip: ((1 - t) * (2 if contrast else 1), clip, clip))
    found = weights.weight_metrics(table)
    assert found["w_ratio/contrast_flat"] == pytest.approx(2)
    assert found["w_ratio_min_bin/contrast_flat"] == pytest.approx(2)
    assert found["w_spearman_t"] == pytest.approx(-1)
    assert found["w_rise_share_t"] == 0
    assert found["w/t<0.2"] == pytest.approx(0.9 * 4 / 3)
    assert found["w/t>0.8"] == pytest.approx(0.1 * 4 / 3)


def test_equal_weights_leave_the_whole_sample():
    found = weights.weight_metrics(census(lambda t, contrast, clip: (0.4, 0.5, 1.0)))
    assert found["weight_cv"] == pytest.approx(0)
    assert found["effective_sample_share"] == pytest.approx(1)
    assert found["w_spearman_t"] == 0


def test_effective_share_and_variation_say_the_same():
    found = weights.weight_metrics(census(lambda t, contrast, clip: (np.exp(-t * clip), 0, 0)))
    assert found["effective_sample_share"] == pytest.approx(1 / (1 + found["weight_cv"] ** 2))


def test_the_least_bin_is_found():
    table = census(lambda t, contrast, clip: (0.5 if contrast and t > 0.9 else 1.0, 0, 0))
    assert weights.weight_metrics(table)["w_ratio_min_bin/contrast_flat"] == pytest.approx(0.5)


def test_the_least_bin_of_equal_ones_is_no_smaller_than_they():
    """The plain minimum of ten noisy ratios would be 0.8 here."""
    rng = np.random.default_rng(0)
    found = [weights.weight_metrics(census(lambda *_: (rng.uniform(0.5, 1.5), 0, 0), 24)) for _ in range(40)]
    assert np.mean([one["w_ratio_min_bin/contrast_flat"] for one in found]) == pytest.approx(1, abs=0.03)


def test_a_class_of_one_clip_has_no_least_bin():
    found = weights.weight_metrics(census(lambda *_: (1.0, 0, 0), clips=4))
    assert np.isnan(found["w_ratio_min_bin/contrast_flat"])
    assert found["w_ratio/contrast_flat"] == 1


def test_the_link_of_entropy_and_loss_is_not_that_of_class_or_t():
    """B and loss both depend on class and t, and within them not on each other, or inversely."""
    rng = np.random.default_rng(0)
    free = census(
        lambda t, contrast, clip: (1, t + contrast + 0.01 * rng.random(), t + contrast + 0.01 * rng.random()), 300
    )
    assert abs(weights.stratified_rho(free)) < 0.1
    assert free["B"].corr(free["loss"], method="spearman") > 0.9
    inverse = census(lambda t, contrast, clip: (1, t + contrast + 0.001 * clip, t + contrast - 0.001 * clip))
    assert weights.stratified_rho(inverse) == pytest.approx(-1)


def test_losses_by_class():
    found = weights.loss_metrics(census(lambda t, contrast, clip: (1, 0, 3.0 if contrast else 2.0)))
    assert found["heldout_loss/contrast"] == pytest.approx(3)
    assert found["heldout_loss_ratio/contrast_flat"] == pytest.approx(1.5)


def test_a_class_without_clips_is_unknown():
    table = census(lambda t, contrast, clip: (1, 0, 1))
    alone = table[table["contrast_class"] == "flat"]
    assert np.isnan(weights.weight_metrics(alone)["w_ratio/contrast_flat"])
    assert np.isnan(weights.loss_metrics(alone)["heldout_loss_ratio/contrast_flat"])


LABEL = {"regime": "small", "arm": "a", "lam": 0.5, "adapter": "dora", "optimizer": "adamw", "run": "short", "seed": 1}


def test_outcomes_have_the_columns_of_the_contract():
    table = outcomes.rows({"vendi": 2, "fad": float("nan")}, **LABEL)
    assert tuple(table.columns) == outcomes.COLUMNS
    assert (table["value"].dtype, table["lam"].dtype, table["seed"].dtype) == ("float64", "float64", "int64")


def test_an_observation_that_stands_twice_is_named():
    with pytest.raises(ValueError, match="duplicate row: vendi of arm a, seed 1"):
        outcomes.joined([outcomes.rows({"vendi": 2}, **LABEL)] * 2)


def test_a_missing_label_is_named():
    with pytest.raises(ValueError, match="run"):
        outcomes.rows({"vendi": 2}, **{name: value for name, value in LABEL.items() if name != "run"})


def test_measured_classes_give_no_metric_of_classes():
    table = census(lambda t, contrast, clip: (0.4, 0.5, 1.0))
    metrics = weights.loss_metrics(table) | weights.weight_metrics(table)
    assert weights.of_known_classes(metrics, table.assign(contrast_source="arrangement")) == metrics
    left = weights.of_known_classes(metrics, table.assign(contrast_source="measured"))
    assert {"heldout_loss", "w/t<0.2", "weight_cv"} <= left.keys()
    assert not [name for name in left if name.split("/")[-1] in ("flat", "contrast", "contrast_flat")]
