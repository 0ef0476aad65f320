import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from eisbach.metrics import diversity

counts = st.integers(1, 12)


@given(count=counts)
def test_the_vendi_score_of_identical_samples_is_one(count):
    same = np.repeat(np.random.default_rng(0).standard_normal((1, 5)), count, axis=0)
    assert diversity.vendi(diversity.cosine_kernel(same)) == pytest.approx(1)


@given(count=counts)
def test_the_vendi_score_of_orthogonal_samples_is_their_number(count):
    assert diversity.vendi(diversity.cosine_kernel(3 * np.eye(count))) == pytest.approx(count)


@given(count=counts, copies=st.integers(1, 4))
def test_copying_every_sample_does_not_change_the_vendi_score(count, copies):
    vectors = np.random.default_rng(count).standard_normal((count, 4))
    wanted = diversity.vendi(diversity.cosine_kernel(vectors))
    assert diversity.vendi(diversity.cosine_kernel(np.tile(vectors, (copies, 1)))) == pytest.approx(wanted)


def test_a_zero_vector_has_cosine_one_with_itself_only():
    kernel = diversity.cosine_kernel(np.array([[0.0, 0], [1, 0], [2, 0]]))
    assert kernel == pytest.approx(np.array([[1, 0, 0], [0, 1, 1], [0, 1, 1]]))


def test_mean_distance_is_the_mean_of_scipy_s_distances():
    vectors = np.random.default_rng(0).standard_normal((9, 3))
    wanted = cdist(vectors, vectors)[np.triu_indices(9, 1)].mean()
    assert diversity.mean_distance(vectors) == pytest.approx(wanted)


def test_the_mean_distance_of_one_vector_is_zero():
    assert diversity.mean_distance(np.ones((1, 3))) == 0


def test_copies_within_prompts_have_distance_between_prompts_only():
    prompts = np.random.default_rng(0).standard_normal((4, 1, 5))
    within, between = diversity.within_and_between(np.repeat(prompts, 3, axis=1))
    assert within == 0
    assert between == pytest.approx(diversity.mean_distance(prompts[:, 0]))


REAL = np.random.default_rng(0).standard_normal((40, 6))
LIKE_REAL = np.random.default_rng(1).standard_normal((5, 4, 6))


def test_the_vendi_gap_of_real_clips_is_zero():
    assert diversity.vendi_gap(REAL[:20].reshape(4, 5, 6).swapaxes(0, 1), REAL[:20]) == pytest.approx(0)


def test_the_vendi_gap_grows_when_all_prompts_get_the_same_samples():
    copies = np.repeat(LIKE_REAL[:1], 5, axis=0)
    assert diversity.vendi_gap(LIKE_REAL, REAL) < 1 < 2 < diversity.vendi_gap(copies, REAL)


def test_the_vendi_gap_is_nan_with_fewer_real_clips_than_prompts():
    assert np.isnan(diversity.vendi_gap(LIKE_REAL, REAL[:4]))
