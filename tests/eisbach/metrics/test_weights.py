import numpy as np
import pandas as pd
import pytest

from eisbach.metrics import weights
from eisbach.pipeline import outcomes


def measured(rule, clips: int = 12) -> pd.DataFrame:
    """A row per clip and tenth of t, at its midpoint; `rule(t, contrast, clip)` gives (w, entropy, loss)."""
    rows = []
    for clip in range(clips):
        name = ("flat", "contrast", "middle")[clip % 3]
        for t in np.arange(0.05, 1, 0.1):
            w, entropy, loss = rule(t, name == "contrast", clip)
            rows.append({"clip_id": clip, "contrast_class": name, "t": t, "w": w, "entropy": entropy, "loss": loss})
    return pd.DataFrame(rows)


def test_weight_metrics_of_a_weight_that_falls_with_t_and_doubles_with_contrast():
    table = measured(lambda t, contrast, clip: ((1 - t) * (2 if contrast else 1), clip, clip))
    found = weights.weight_metrics(table)
    assert found["w_ratio/contrast_flat"] == pytest.approx(2)
    assert found["w_spearman_t"] == pytest.approx(-1)
    assert found["w_rise_share_t"] == 0
    assert found["w/t<0.2"] == pytest.approx(0.9 * 4 / 3)
    assert found["w/t>0.8"] == pytest.approx(0.1 * 4 / 3)


def test_equal_weights_have_the_whole_effective_sample_and_no_variation():
    found = weights.weight_metrics(measured(lambda t, contrast, clip: (0.4, 0.5, 1.0)))
    assert found["weight_cv"] == pytest.approx(0)
    assert found["effective_sample_share"] == pytest.approx(1)
    assert found["w_spearman_t"] == 0


def test_the_effective_share_is_one_over_one_plus_the_squared_variation():
    found = weights.weight_metrics(measured(lambda t, contrast, clip: (np.exp(-t * clip), 0, 0)))
    assert found["effective_sample_share"] == pytest.approx(1 / (1 + found["weight_cv"] ** 2))


def test_entropy_and_loss_that_depend_only_on_class_and_t_have_no_correlation():
    rng = np.random.default_rng(0)
    free = measured(
        lambda t, contrast, clip: (1, t + contrast + 0.01 * rng.random(), t + contrast + 0.01 * rng.random()), 300
    )
    assert abs(weights.stratified_rho(free)) < 0.1
    assert free["entropy"].corr(free["loss"], method="spearman") > 0.9


def test_entropy_and_loss_that_are_inverse_within_class_and_t_have_correlation_minus_one():
    inverse = measured(lambda t, contrast, clip: (1, t + contrast + 0.001 * clip, t + contrast - 0.001 * clip))
    assert weights.stratified_rho(inverse) == pytest.approx(-1)


def test_the_loss_ratio_is_that_of_the_classes_means():
    found = weights.loss_metrics(measured(lambda t, contrast, clip: (1, 0, 3.0 if contrast else 2.0)))
    assert found["heldout_loss/contrast"] == pytest.approx(3)
    assert found["heldout_loss_ratio/contrast_flat"] == pytest.approx(1.5)


def test_ratios_are_nan_for_a_class_without_clips():
    table = measured(lambda t, contrast, clip: (1, 0, 1))
    alone = table[table["contrast_class"] == "flat"]
    assert np.isnan(weights.weight_metrics(alone)["w_ratio/contrast_flat"])
    assert np.isnan(weights.loss_metrics(alone)["heldout_loss_ratio/contrast_flat"])


LABEL = {"regime": "small", "arm": "a", "lam": 0.5, "adapter": "dora", "optimizer": "adamw", "run": "short", "seed": 1}


def test_outcomes_have_the_columns_and_types_of_the_schema():
    table = outcomes.rows({"vendi": 2, "fad": float("nan")}, **LABEL)
    assert tuple(table.columns) == outcomes.COLUMNS
    assert (table["value"].dtype, table["lam"].dtype, table["seed"].dtype) == ("float64", "float64", "int64")


def test_a_duplicate_row_is_named():
    with pytest.raises(ValueError, match="duplicate row: vendi of arm a, seed 1"):
        outcomes.joined([outcomes.rows({"vendi": 2}, **LABEL)] * 2)


def test_a_missing_label_is_named():
    with pytest.raises(ValueError, match="run"):
        outcomes.rows({"vendi": 2}, **{name: value for name, value in LABEL.items() if name != "run"})


def test_measured_classes_drop_the_metrics_by_class_and_arranged_ones_do_not():
    table = measured(lambda t, contrast, clip: (0.4, 0.5, 1.0))
    metrics = weights.loss_metrics(table) | weights.weight_metrics(table)
    assert weights.of_known_classes(metrics, table.assign(contrast_source="arrangement")) == metrics
    left = weights.of_known_classes(metrics, table.assign(contrast_source="measured"))
    assert {"heldout_loss", "w/t<0.2", "weight_cv"} <= left.keys()
    assert not [name for name in left if name.split("/")[-1] in ("flat", "contrast", "contrast_flat")]
