import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from eisbach.errors import UserError
from eisbach.metrics import between_seeds, consistency
from eisbach.pipeline import paths


def drawn(seed: int, shift: float = 0.0, shape=(40, 6, 3)) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape) + shift


def features(seed: int, length: int = 24) -> between_seeds.SampleFeatures:
    rng = np.random.default_rng(seed)
    slow = [[rng.uniform(-60, 0, (8, length)) for _ in range(2)] for _ in range(3)]
    return between_seeds.SampleFeatures({"codec": rng.standard_normal((3, 2, 4))}, slow)


@given(seeds=st.lists(st.integers(0, 99), unique=True), more=st.lists(st.integers(100, 199), unique=True))
def test_appending_seeds_does_not_change_earlier_blocks(seeds, more):
    before, after = between_seeds.blocks(seeds), between_seeds.blocks(seeds + more)
    assert after[: len(before)] == before


@given(seeds=st.lists(st.integers(0, 99), unique=True))
def test_blocks_are_disjoint_and_use_all_seeds_but_an_odd_one(seeds):
    used = [seed for block in between_seeds.blocks(seeds) for seed in block]
    assert used == seeds[: len(seeds) // 2 * 2]


def test_seeds_with_the_same_distribution_have_an_excess_of_zero_on_average():
    excesses = [between_seeds.distances(drawn(2 * k), drawn(2 * k + 1))[1] for k in range(200)]
    assert np.mean(excesses) == pytest.approx(0, abs=3 * np.std(excesses) / np.sqrt(200))


def test_shifted_normal_distributions_have_the_distance_and_excess_of_the_closed_form():
    one, other = drawn(1, shape=(4000, 8, 1)), drawn(2, shift=5.0, shape=(4000, 8, 1))
    across, excess = between_seeds.distances(one, other)
    assert across == pytest.approx(5.0, rel=0.01)  # E|X - Y|, since the distributions hardly overlap
    assert excess == pytest.approx(5.0 - 2 / np.sqrt(np.pi), rel=0.02)


def test_the_excess_is_half_scipy_s_energy_distance_without_its_bias():
    """scipy includes the distance of a sample to itself: its means within a seed are (N - 1) / N of ours."""
    one, other = drawn(1, shape=(1, 30, 1)), drawn(2, shift=1.0, shape=(1, 30, 1))
    across, excess = between_seeds.distances(one, other)
    biased = across - 29 / 30 * (across - excess)
    assert biased == pytest.approx(stats.energy_distance(one.ravel(), other.ravel()) ** 2 / 2)


def test_the_excess_is_nan_with_one_sample_per_prompt():
    across, excess = between_seeds.distances(drawn(0, shape=(5, 1, 3)), drawn(1, shape=(5, 1, 3)))
    assert across > 0
    assert np.isnan(excess)


def test_copies_have_full_structure_consistency_and_no_detail_diversity():
    one = features(0)
    same = between_seeds.SampleFeatures(one.vectors, [[group[0]] * 2 for group in one.slow])
    found = between_seeds.compare(same, same)
    assert found["structure_consistency/between_seeds"] == pytest.approx(1)
    assert found["detail_diversity/between_seeds"] == 0


def test_each_pair_of_samples_of_two_seeds_counts_as_a_pair_within_a_prompt_does():
    one, other = features(0), features(1)
    found = between_seeds.compare(one, other)
    pairs = [[a, b] for first, second in zip(one.slow, other.slow, strict=True) for a in first for b in second]
    assert found["structure_consistency/between_seeds"] == pytest.approx(consistency.structure_consistency(pairs)[0])
    assert found["detail_diversity/between_seeds"] == pytest.approx(consistency.detail_diversity(pairs)[0])
    assert found["pairwise_distance/between_seeds"] == found["pairwise_distance/between_seeds/codec"]


def test_the_jackknife_of_an_additive_table_is_the_t_interval_of_a_mean():
    """If the value of a pair is the mean of its two seeds' values, the U-statistic is the mean over seeds."""
    own = np.random.default_rng(0).standard_normal(9)
    mean, low, high = between_seeds.jackknife(np.add.outer(own, own) / 2)
    wanted = stats.ttest_1samp(own, 0).confidence_interval()
    assert (mean, low, high) == pytest.approx((own.mean(), wanted.low, wanted.high))


def test_about_95_percent_of_jackknife_intervals_contain_the_true_mean_distance():
    """Intervals over the distances of seven normal points, drawn 400 times."""
    truth = 2 / np.sqrt(np.pi)
    hits = 0
    for seed in range(400):
        points = np.random.default_rng(seed).standard_normal(7)
        _, low, high = between_seeds.jackknife(np.abs(np.subtract.outer(points, points)))
        hits += low <= truth <= high
    assert 0.88 <= hits / 400 <= 0.99


def test_two_seeds_have_a_mean_and_no_interval():
    mean, low, high = between_seeds.jackknife(np.array([[0, 3.0], [3.0, 0]]))
    assert mean == 3
    assert np.isnan([low, high]).all()


def test_features_are_loaded_as_saved_to_the_precision_of_the_file(tmp_path):
    path, arms = tmp_path / between_seeds.FILE, {"baseline": features(0), "barrier": features(1, length=11)}
    between_seeds.save(path, arms)
    for arm, kept in arms.items():
        loaded = between_seeds.load(path, arm)
        assert loaded.vectors["codec"] == pytest.approx(kept.vectors["codec"], rel=1e-6)
        for group, wanted in zip(loaded.slow, kept.slow, strict=True):
            assert np.array(group) == pytest.approx(np.array(wanted), abs=1 / 32)


def test_a_missing_file_names_the_command_that_makes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="dvc repro evaluate@3"):
        between_seeds.load(paths.EVALUATION / "3" / between_seeds.FILE, "baseline")


def test_a_missing_arm_is_named(tmp_path):
    path = tmp_path / between_seeds.FILE
    between_seeds.save(path, {"baseline": features(0)})
    with pytest.raises(UserError, match="'shuffled'"):
        between_seeds.load(path, "shuffled")
