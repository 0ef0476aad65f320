import numpy as np
import pytest

from eisbach.metrics import consistency


def clip(structure: int, detail: int) -> np.ndarray:
    """[32, 108]: a slow change of level from seed `structure`, plus fast noise from seed `detail`."""
    phases = np.random.default_rng(structure).uniform(0, 2 * np.pi, 2)
    level = sum(8 * np.cos(2 * np.pi * (k + 1) * np.arange(108) / 108 + phases[k]) for k in range(2))
    return level + 2 * np.random.default_rng(1000 + detail).standard_normal((32, 108))


def test_copies_have_full_consistency_and_no_diversity():
    groups = [[clip(p, p)] * 3 for p in range(3)]
    assert consistency.structure_consistency(groups)[0] == pytest.approx(1)
    assert consistency.detail_diversity(groups) == pytest.approx((0, 0), abs=1e-9)


SHARED_STRUCTURE = [[clip(p, 10 * p + n) for n in range(3)] for p in range(3)]
SHARED_DETAIL = [[clip(10 * p + n, p) for n in range(3)] for p in range(3)]


def test_samples_that_share_structure_are_more_consistent_than_samples_that_share_detail():
    first, second = (consistency.structure_consistency(groups) for groups in (SHARED_STRUCTURE, SHARED_DETAIL))
    assert first[0] > 0.9 > 0.6 > second[0]
    assert first[1] > 0.4 > second[1]


def test_samples_that_share_structure_have_more_diverse_detail_than_samples_that_share_detail():
    details = [consistency.detail_diversity(groups) for groups in (SHARED_STRUCTURE, SHARED_DETAIL)]
    assert details[0][0] == pytest.approx(2 * np.sqrt(2), rel=0.1)
    assert details[0][1] > details[1][1]


def test_gain_changes_nothing():
    groups = [[clip(p, 10 * p + n) for n in range(2)] for p in range(2)]
    softer = [[one - 12 for one in group] for group in groups]
    assert consistency.structure_consistency(softer) == pytest.approx(consistency.structure_consistency(groups))
    assert consistency.detail_diversity(softer) == pytest.approx(consistency.detail_diversity(groups))


CONSTANT = np.zeros((32, 108))


def test_constant_clips_have_no_agreement():
    groups = [[CONSTANT, CONSTANT], [clip(0, 0), clip(0, 1)]]
    assert consistency.structure_consistency(groups)[0] == pytest.approx(0.5, abs=0.1)


def test_one_sample_per_prompt_gives_nan():
    assert np.isnan(consistency.structure_consistency([[CONSTANT], [CONSTANT]])[0])
    assert np.isnan(consistency.detail_diversity([[CONSTANT], [CONSTANT]])).all()


def test_clips_of_different_lengths_are_not_compared_between_prompts():
    groups = [[clip(0, 0), clip(0, 1)], [clip(1, 2)[:, :60], clip(1, 3)[:, :60]]]
    within, excess = consistency.structure_consistency(groups)
    assert within > 0.5
    assert np.isnan(excess)


def test_clips_of_one_frame_have_no_agreement_and_finite_diversity():
    groups = [[np.zeros((32, 1)), np.ones((32, 1))]]
    assert consistency.structure_consistency(groups)[0] == 0
    assert np.isfinite(consistency.detail_diversity(groups)).all()
