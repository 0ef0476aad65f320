import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.covariance import ledoit_wolf
from sklearn.metrics.pairwise import rbf_kernel

from eisbach.metrics import distance


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_frechet_of_gaussians_is_the_formula(rng):
    a, b = (m @ m.T for m in rng.standard_normal((2, 5, 5)))
    mean, other = rng.standard_normal((2, 5))
    wanted = np.square(mean - other).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert distance.gaussian_frechet(mean, a, other, b) == pytest.approx(wanted)
    assert distance.gaussian_frechet(mean, a, mean, a) == pytest.approx(0, abs=1e-6)
    assert distance.gaussian_frechet(np.zeros(3), np.eye(3), np.ones(3), 4 * np.eye(3)) == pytest.approx(3 + 3)


def test_frechet_of_samples_nears_the_formula_and_shifts_add_their_square(rng):
    points = rng.standard_normal((5000, 4))
    assert distance.frechet(points, rng.standard_normal((5000, 4))) == pytest.approx(0, abs=0.02)
    assert distance.frechet(points + 2, points) == pytest.approx(16, rel=1e-6)


@pytest.mark.parametrize(("samples", "real", "size"), [(8, 30, 60), (8, 5, 12), (200, 300, 6)])
def test_frechet_is_that_of_the_whole_shrunk_covariances(rng, samples, real, size):
    """With fewer points than dimensions and with more, against sklearn's covariances and scipy's root of a matrix."""
    one, other = rng.standard_normal((samples, size)) * np.linspace(0.1, 2, size), rng.standard_normal((real, size)) + 1
    (a, _), (b, _) = ledoit_wolf(one), ledoit_wolf(other)
    wanted = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert distance.frechet(one, other) == pytest.approx(wanted, rel=1e-5)


def test_kernel_distance_is_the_unbiased_estimate(rng):
    samples, real = rng.standard_normal((6, 3)), rng.standard_normal((7, 3))
    width = np.median([np.linalg.norm(real[i] - real[j]) for i in range(7) for j in range(i)])
    gamma = 1 / (2 * width**2)
    inner = [
        np.mean([rbf_kernel(x[i : i + 1], x[j : j + 1], gamma) for i in range(len(x)) for j in range(len(x)) if i != j])
        for x in (samples, real)
    ]
    wanted = sum(inner) - 2 * rbf_kernel(samples, real, gamma).mean()
    assert distance.kernel_distance(samples, real) == pytest.approx(wanted)


def test_kernel_distance_is_zero_on_average_for_equal_laws(rng):
    values = [distance.kernel_distance(rng.standard_normal((10, 3)), rng.standard_normal((30, 3))) for _ in range(300)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)


def test_permutations_reject_a_shift_and_are_uniform_otherwise(rng):
    real = rng.standard_normal((30, 3))
    assert distance.kernel_distance_p(rng.standard_normal((20, 3)) + 2, real) == pytest.approx(1 / 201)
    pvalues = [
        distance.kernel_distance_p(rng.standard_normal((8, 2)), rng.standard_normal((8, 2)), 50) for _ in range(60)
    ]
    assert 0.35 < np.mean(pvalues) < 0.65


def test_a_set_covers_itself_and_nothing_far_away(rng):
    real = rng.standard_normal((40, 3))
    assert distance.density_and_coverage(real, real)[1] == 1
    assert distance.recall(real, real) == 1
    assert distance.density_and_coverage(real + 100, real) == (0, 0)
    assert distance.recall(real + 100, real) == 0


def test_coverage_falls_when_modes_are_lost_and_density_does_not(rng):
    modes = np.array([[0.0, 0], [50, 0]])
    real = np.concatenate([mode + rng.standard_normal((40, 2)) for mode in modes])
    both = np.concatenate([mode + rng.standard_normal((40, 2)) for mode in modes])
    one = rng.standard_normal((80, 2))
    assert distance.density_and_coverage(one, real)[1] <= 0.5 < distance.density_and_coverage(both, real)[1]
    assert distance.density_and_coverage(one, real)[0] > 0.5
    assert distance.recall(one, real) <= 0.5 < distance.recall(both, real)


def test_copies_of_training_clips_are_memorised(rng):
    training, heldout = rng.standard_normal((50, 4)), rng.standard_normal((30, 4))
    assert distance.memorisation(training[:10], training, heldout) == 0
    assert distance.memorisation(heldout, training, heldout) == pytest.approx(1)
