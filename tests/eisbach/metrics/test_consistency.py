import numpy as np
import pytest

from eisbach.metrics import consistency


def clip(structure: int, detail: int) -> np.ndarray:
    """[32, 108]: a slow course of level drawn by `structure`, and fast noise drawn by `detail`."""
    phases = np.random.default_rng(structure).uniform(0, 2 * np.pi, 2)
    course = sum(8 * np.cos(2 * np.pi * (k + 1) * np.arange(108) / 108 + phases[k]) for k in range(2))
    return course + 2 * np.random.default_rng(1000 + detail).standard_normal((32, 108))


def test_copies_agree_wholly_and_have_no_diversity():
    groups = [[clip(p, p)] * 3 for p in range(3)]
    assert consistency.structure_consistency(groups)[0] == pytest.approx(1)
    assert consistency.detail_diversity(groups) == pytest.approx((0, 0), abs=1e-9)


def test_structure_and_detail_move_apart():
    shared_structure = [[clip(p, 10 * p + n) for n in range(3)] for p in range(3)]
    shared_detail = [[clip(10 * p + n, p) for n in range(3)] for p in range(3)]
    first, second = (consistency.structure_consistency(groups) for groups in (shared_structure, shared_detail))
    assert first[0] > 0.9 > 0.6 > second[0]
    assert first[1] > 0.4 > second[1]
    details = [consistency.detail_diversity(groups) for groups in (shared_structure, shared_detail)]
    assert details[0][0] == pytest.approx(2 * np.sqrt(2), rel=0.1)
    assert details[0][1] > details[1][1]


def test_gain_does_not_matter():
    groups = [[clip(p, 10 * p + n) for n in range(2)] for p in range(2)]
    softer = [[one - 12 for one in group] for group in groups]
    assert consistency.structure_consistency(softer) == pytest.approx(consistency.structure_consistency(groups))
    assert consistency.detail_diversity(softer) == pytest.approx(consistency.detail_diversity(groups))


def test_an_even_clip_agrees_with_nothing_and_one_noise_is_unknown():
    even = np.zeros((32, 108))
    assert consistency.structure_consistency([[even, even], [clip(0, 0), clip(0, 1)]])[0] == pytest.approx(0.5, abs=0.1)
    assert np.isnan(consistency.structure_consistency([[even], [even]])[0])
    assert np.isnan(consistency.detail_diversity([[even], [even]])).all()


def test_clips_of_other_lengths_and_single_moments_are_not_compared():
    groups = [[clip(0, 0), clip(0, 1)], [clip(1, 2)[:, :60], clip(1, 3)[:, :60]]]
    within, excess = consistency.structure_consistency(groups)
    assert within > 0.5
    assert np.isnan(excess)
    moment = [[np.zeros((32, 1)), np.ones((32, 1))]]
    assert consistency.structure_consistency(moment)[0] == 0
    assert np.isfinite(consistency.detail_diversity(moment)).all()
