import numpy as np
import pytest

from eisbach.metrics import alignment


@pytest.fixture(scope="module")
def pairs():
    """(audio [200, 20], captions [200, 6]): captions of unit length, audio a noisy linear image of them."""
    rng = np.random.default_rng(0)
    captions = rng.standard_normal((200, 6))
    captions /= np.linalg.norm(captions, axis=1, keepdims=True)
    return captions @ rng.standard_normal((6, 20)) + 0.1 * rng.standard_normal((200, 20)), captions


def test_a_probe_recovers_a_linear_relation_on_heldout_pairs(pairs):
    audio, captions = pairs
    probe = alignment.fit(audio[:150], captions[:150])
    matched, mismatched = alignment.scores(probe, audio[150:], captions[150:])
    assert matched > 0.9
    assert abs(mismatched) < 0.1


def test_a_probe_fitted_on_permuted_captions_aligns_nothing(pairs):
    audio, captions = pairs
    wrong = np.random.default_rng(1).permutation(150)
    probe = alignment.fit(audio[:150], captions[wrong])
    assert abs(np.subtract(*alignment.scores(probe, audio[150:], captions[150:]))) < 0.15


def test_pairs_with_equal_captions_are_not_mismatched():
    cosines, captions = np.array([[1.0, 0.8, 0.1]] * 3), np.array([[1.0], [1.0], [2.0]])
    matched, mismatched = alignment.paired_scores(cosines, captions)
    assert matched == pytest.approx((1 + 0.8 + 0.1) / 3)
    assert mismatched == pytest.approx((0.1 + 0.1 + 1 + 0.8) / 4)


def test_the_mismatched_score_is_nan_when_all_captions_are_equal():
    assert np.isnan(alignment.paired_scores(np.ones((3, 3)), np.ones((3, 1)))[1])
