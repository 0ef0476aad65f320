"""Paired differences over seeds."""

import numpy as np
import pandas as pd
import pytest

from predictions.report.summary import paired_differences, seed_means

MEASURES = ("heldout_loss", "dynamic_range_db", "pca_area")


def means(effect, seeds=6):
    rng = np.random.default_rng(0)
    rows = []
    for seed in range(seeds):
        level = 10 * rng.standard_normal()
        for arm, shift in (("baseline", 0.0), ("barrier", effect)):
            noise = 0.01 * rng.standard_normal()
            rows += [{"arm": arm, "seed": seed, "metric": name, "value": level + shift + noise} for name in MEASURES]
    return pd.DataFrame(rows)


def test_pairing_finds_an_effect_far_below_the_spread_over_seeds():
    row = paired_differences(means(0.1), "baseline").iloc[0]
    assert row["low"] < 0.1 < row["high"]
    assert row["low"] > 0.05


def test_identical_arms_have_no_difference():
    table = means(0.0)
    table["value"] = table.groupby(["seed", "metric"])["value"].transform("first")
    differences = paired_differences(table, "baseline")
    assert (differences[["difference", "low", "high"]] == 0).all().all()


def test_one_seed_has_no_interval():
    row = paired_differences(means(1.0, seeds=1), "baseline").iloc[0]
    assert np.isnan(row["low"])
    assert row["seeds"] == 1


def test_a_seed_that_an_arm_lacks_is_left_out_of_its_pairs():
    table = means(1.0)
    table = table[~((table["arm"] == "barrier") & (table["seed"] == 3))]
    assert (paired_differences(table, "baseline")["seeds"] == 5).all()


def test_seed_means_give_one_number_per_arm_seed_and_metric():
    losses = pd.DataFrame({"arm": ["a", "a", "b"], "seed": 0, "loss": [1.0, 3.0, 5.0], "t": 0.5})
    measured = {name: 1.0 for name in MEASURES[1:]}
    samples = pd.DataFrame([{"arm": arm, "seed": 0, **measured} for arm in "aab"])
    table = seed_means(losses, samples)
    assert len(table) == 2 * len(MEASURES)
    assert table.query("arm == 'a' and metric == 'heldout_loss'")["value"].item() == pytest.approx(2)
