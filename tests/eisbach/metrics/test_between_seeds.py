import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from eisbach.errors import UserError
from eisbach.metrics import between_seeds, consistency


def drawn(seed: int, shift: float = 0.0, shape=(40, 6, 3)) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape) + shift


def heard(seed: int, length: int = 24) -> between_seeds.Heard:
    rng = np.random.default_rng(seed)
    slow = [[rng.uniform(-60, 0, (8, length)) for _ in range(2)] for _ in range(3)]
    return between_seeds.Heard({"codec": rng.standard_normal((3, 2, 4))}, slow)


@given(seeds=st.lists(st.integers(0, 99), unique=True), more=st.lists(st.integers(100, 199), unique=True))
def test_seeds_added_at_the_end_leave_the_blocks_as_they_were(seeds, more):
    before, after = between_seeds.blocks(seeds), between_seeds.blocks(seeds + more)
    assert after[: len(before)] == before
    used = [seed for block in after for seed in block]
    assert len(set(used)) == len(used) == (len(seeds) + len(more)) // 2 * 2


def test_seeds_that_draw_from_one_law_have_no_excess_and_shifted_ones_have_theirs():
    """Gaussian prompts in one dimension: E|X - Y| in closed form for two normal laws a shift apart."""
    excesses = [between_seeds.distances(drawn(2 * k), drawn(2 * k + 1))[1] for k in range(200)]
    assert np.mean(excesses) == pytest.approx(0, abs=3 * np.std(excesses) / np.sqrt(200))
    one, other = drawn(1, shape=(4000, 8, 1)), drawn(2, shift=5.0, shape=(4000, 8, 1))
    across, excess = between_seeds.distances(one, other)
    assert across == pytest.approx(5.0, rel=0.01)  # the laws hardly overlap
    assert excess == pytest.approx(5.0 - 2 / np.sqrt(np.pi), rel=0.02)


def test_the_excess_is_half_scipy_s_energy_distance_without_its_bias():
    """scipy counts a sample's distance to itself: its inner means are (N - 1) / N of ours."""
    one, other = drawn(1, shape=(1, 30, 1)), drawn(2, shift=1.0, shape=(1, 30, 1))
    across, excess = between_seeds.distances(one, other)
    biased = across - 29 / 30 * (across - excess)
    assert biased == pytest.approx(stats.energy_distance(one.ravel(), other.ravel()) ** 2 / 2)


def test_one_sample_a_prompt_has_no_excess():
    across, excess = between_seeds.distances(drawn(0, shape=(5, 1, 3)), drawn(1, shape=(5, 1, 3)))
    assert across > 0
    assert np.isnan(excess)


def test_copies_agree_wholly_and_the_numbers_are_those_within_a_prompt():
    one, other = heard(0), heard(1)
    same = between_seeds.Heard(one.vectors, [[group[0]] * 2 for group in one.slow])
    found = between_seeds.compare(same, same)
    assert found["structure_consistency/between_seeds"] == pytest.approx(1)
    assert found["detail_diversity/between_seeds"] == 0
    found = between_seeds.compare(one, other)
    pairs = [[a, b] for first, second in zip(one.slow, other.slow, strict=True) for a in first for b in second]
    assert found["structure_consistency/between_seeds"] == pytest.approx(consistency.structure_consistency(pairs)[0])
    assert found["detail_diversity/between_seeds"] == pytest.approx(consistency.detail_diversity(pairs)[0])
    assert found["pairwise_distance/between_seeds"] == found["pairwise_distance/between_seeds/codec"]


def test_the_jackknife_of_an_additive_table_is_that_of_a_mean():
    """Where a pair's number is the mean of its seeds', the U-statistic is their mean and its error the usual one."""
    own = np.random.default_rng(0).standard_normal(9)
    mean, low, high = between_seeds.jackknife(np.add.outer(own, own) / 2)
    wanted = stats.ttest_1samp(own, 0).confidence_interval()
    assert (mean, low, high) == pytest.approx((own.mean(), wanted.low, wanted.high))


def test_the_jackknife_s_interval_covers():
    """Distances of points that are drawn anew: 95 % of the intervals over seven of them hold the true mean distance."""
    truth = 2 / np.sqrt(np.pi)
    hits = 0
    for seed in range(400):
        points = np.random.default_rng(seed).standard_normal(7)
        _, low, high = between_seeds.jackknife(np.abs(np.subtract.outer(points, points)))
        hits += low <= truth <= high
    assert 0.88 <= hits / 400 <= 0.99


def test_two_seeds_have_a_mean_without_an_interval():
    mean, low, high = between_seeds.jackknife(np.array([[0, 3.0], [3.0, 0]]))
    assert mean == 3
    assert np.isnan([low, high]).all()


def test_what_was_heard_survives_the_file_and_what_is_missing_is_named(tmp_path):
    path, arms = tmp_path / "heard.safetensors", {"baseline": heard(0), "barrier": heard(1, length=11)}
    with pytest.raises(UserError, match="dvc repro evaluate"):
        between_seeds.load(path, "baseline")
    between_seeds.save(path, arms)
    for arm, kept in arms.items():
        loaded = between_seeds.load(path, arm)
        assert loaded.vectors["codec"] == pytest.approx(kept.vectors["codec"], rel=1e-6)
        for group, wanted in zip(loaded.slow, kept.slow, strict=True):
            assert np.array(group) == pytest.approx(np.array(wanted), abs=1 / 32)
    with pytest.raises(UserError, match="'shuffled'"):
        between_seeds.load(path, "shuffled")
