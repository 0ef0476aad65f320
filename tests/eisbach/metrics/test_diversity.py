import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from eisbach.metrics import diversity

counts = st.integers(1, 12)


@given(count=counts)
def test_identical_samples_are_one_and_orthogonal_ones_are_their_number(count):
    same = np.repeat(np.random.default_rng(0).standard_normal((1, 5)), count, axis=0)
    assert diversity.vendi(diversity.cosine_kernel(same)) == pytest.approx(1)
    assert diversity.vendi(diversity.cosine_kernel(3 * np.eye(count))) == pytest.approx(count)


@given(count=counts, copies=st.integers(1, 4))
def test_copies_of_every_sample_change_nothing(count, copies):
    vectors = np.random.default_rng(count).standard_normal((count, 4))
    wanted = diversity.vendi(diversity.cosine_kernel(vectors))
    assert diversity.vendi(diversity.cosine_kernel(np.tile(vectors, (copies, 1)))) == pytest.approx(wanted)


def test_a_zero_vector_is_alike_to_itself_alone():
    kernel = diversity.cosine_kernel(np.array([[0.0, 0], [1, 0], [2, 0]]))
    assert kernel == pytest.approx(np.array([[1, 0, 0], [0, 1, 1], [0, 1, 1]]))


def test_mean_distance_is_the_mean_of_scipy_s_distances():
    vectors = np.random.default_rng(0).standard_normal((9, 3))
    wanted = cdist(vectors, vectors)[np.triu_indices(9, 1)].mean()
    assert diversity.mean_distance(vectors) == pytest.approx(wanted)
    assert diversity.mean_distance(vectors[:1]) == 0


def test_within_and_between_tell_noises_from_prompts():
    prompts = np.random.default_rng(0).standard_normal((4, 1, 5))
    within, between = diversity.within_and_between(np.repeat(prompts, 3, axis=1))
    assert within == 0
    assert between == pytest.approx(diversity.mean_distance(prompts[:, 0]))


def test_the_gap_of_the_vendi_score_is_0_for_real_clips_and_grows_with_copies():
    rng = np.random.default_rng(0)
    real = rng.standard_normal((40, 6))
    like_real = rng.standard_normal((5, 4, 6))
    copies = np.repeat(like_real[:1], 5, axis=0)  # every prompt gets the same
    assert diversity.vendi_gap(real[:20].reshape(4, 5, 6).swapaxes(0, 1), real[:20]) == pytest.approx(0)
    assert diversity.vendi_gap(like_real, real) < 1 < 2 < diversity.vendi_gap(copies, real)
    assert np.isnan(diversity.vendi_gap(like_real, real[:4]))
