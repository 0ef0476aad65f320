import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.covariance import ledoit_wolf
from sklearn.metrics.pairwise import rbf_kernel

from eisbach.metrics import distance


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_frechet_distance_of_gaussians_is_the_formula(rng):
    a, b = (m @ m.T for m in rng.standard_normal((2, 5, 5)))
    mean, other = rng.standard_normal((2, 5))
    wanted = np.square(mean - other).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert distance.gaussian_frechet(mean, a, other, b) == pytest.approx(wanted)
    assert distance.gaussian_frechet(np.zeros(3), np.eye(3), np.ones(3), 4 * np.eye(3)) == pytest.approx(3 + 3)


def test_a_gaussian_has_no_frechet_distance_from_itself(rng):
    root, mean = rng.standard_normal((5, 5)), rng.standard_normal(5)
    covariance = root @ root.T
    assert distance.gaussian_frechet(mean, covariance, mean, covariance) == pytest.approx(0, abs=1e-6)


def test_many_samples_of_one_gaussian_have_a_frechet_distance_near_zero(rng):
    assert distance.frechet(*rng.standard_normal((2, 5000, 4))) == pytest.approx(0, abs=0.02)


def test_a_shift_adds_its_square_to_the_frechet_distance(rng):
    points = rng.standard_normal((5000, 4))
    assert distance.frechet(points + 2, points) == pytest.approx(16, rel=1e-6)


@pytest.mark.parametrize(("samples", "real", "size"), [(8, 30, 60), (8, 5, 12), (200, 300, 6)])
def test_the_frechet_distance_is_the_formula_on_sklearn_s_shrunk_covariances(rng, samples, real, size):
    """With fewer points than dimensions and with more; scipy takes the root of the matrix."""
    one, other = rng.standard_normal((samples, size)) * np.linspace(0.1, 2, size), rng.standard_normal((real, size)) + 1
    (a, _), (b, _) = ledoit_wolf(one), ledoit_wolf(other)
    wanted = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert distance.frechet(one, other) == pytest.approx(wanted, rel=1e-5)


def test_the_kernel_distance_is_the_unbiased_estimate(rng):
    samples, real = rng.standard_normal((6, 3)), rng.standard_normal((7, 3))
    width = np.median([np.linalg.norm(real[i] - real[j]) for i in range(7) for j in range(i)])
    gamma = 1 / (2 * width**2)
    inner = [
        np.mean([rbf_kernel(x[i : i + 1], x[j : j + 1], gamma) for i in range(len(x)) for j in range(len(x)) if i != j])
        for x in (samples, real)
    ]
    wanted = sum(inner) - 2 * rbf_kernel(samples, real, gamma).mean()
    assert distance.kernel_distance(samples, real) == pytest.approx(wanted)


def test_the_kernel_distance_is_zero_on_average_for_equal_distributions(rng):
    values = [distance.kernel_distance(rng.standard_normal((10, 3)), rng.standard_normal((30, 3))) for _ in range(300)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)


def test_the_permutation_test_gives_a_shift_the_smallest_p_value(rng):
    real = rng.standard_normal((30, 3))
    assert distance.kernel_distance_p(rng.standard_normal((20, 3)) + 2, real) == pytest.approx(1 / 201)


def test_p_values_average_a_half_for_equal_distributions(rng):
    pvalues = [
        distance.kernel_distance_p(rng.standard_normal((8, 2)), rng.standard_normal((8, 2)), 50) for _ in range(60)
    ]
    assert 0.35 < np.mean(pvalues) < 0.65


def test_density_and_coverage_are_the_formulas_of_naeem_et_al(rng):
    """Their Eqs. 2 and 3, one pair of points at a time."""
    samples, real, k = rng.standard_normal((17, 3)) + 0.5, rng.standard_normal((23, 3)), 4
    radius = [sorted(np.linalg.norm(other - one) for other in real)[k] for one in real]  # the first distance is its own
    contained = [[np.linalg.norm(sample - one) <= r for sample in samples] for one, r in zip(real, radius, strict=True)]
    density, coverage = distance.density_and_coverage(samples, real, k)
    assert density == pytest.approx(np.sum(contained) / (k * len(samples)))
    assert coverage == pytest.approx(np.mean([any(row) for row in contained]))
    assert 0 < density != coverage < 1


def test_a_set_covers_and_recalls_itself_with_a_density_of_one_plus_one_over_k(rng):
    """The ball of a point contains the point and its k neighbours."""
    real = rng.standard_normal((40, 3))
    assert distance.density_and_coverage(real, real) == pytest.approx((6 / 5, 1))
    assert distance.recall(real, real) == 1


def test_a_set_far_away_has_no_density_coverage_or_recall(rng):
    real = rng.standard_normal((40, 3))
    assert distance.density_and_coverage(real + 100, real) == (0, 0)
    assert distance.recall(real + 100, real) == 0


@pytest.fixture
def modes(rng):
    """(real, samples of both modes of real, samples of one mode): [80, 2] each."""
    real, both = (np.concatenate([mode + rng.standard_normal((40, 2)) for mode in (0, [50, 0])]) for _ in range(2))
    return real, both, rng.standard_normal((80, 2))


def test_a_lost_mode_halves_coverage_and_recall(modes):
    real, both, one = modes
    assert distance.density_and_coverage(one, real)[1] <= 0.5 < distance.density_and_coverage(both, real)[1]
    assert distance.recall(one, real) <= 0.5 < distance.recall(both, real)


def test_a_lost_mode_does_not_change_density(modes):
    """Each sample still lies among real clips as densely as they lie themselves: about 1."""
    real, both, one = modes
    densities = [distance.density_and_coverage(samples, real)[0] for samples in (one, both)]
    assert densities == pytest.approx([1, 1], abs=0.15)


def test_density_falls_the_more_samples_lie_outside_the_real_clips(rng):
    real, samples = rng.standard_normal((2, 80, 2))
    near, spread, far = (distance.density_and_coverage(scale * samples, real)[0] for scale in (1, 2, 4))
    assert near > 1.5 * spread > 1.5**2 * far > 0


def test_copies_of_training_clips_have_a_memorisation_of_zero(rng):
    training, heldout = rng.standard_normal((50, 4)), rng.standard_normal((30, 4))
    assert distance.memorisation(training[:10], training, heldout) == 0


def test_heldout_clips_have_a_memorisation_of_one(rng):
    training, heldout = rng.standard_normal((50, 4)), rng.standard_normal((30, 4))
    assert distance.memorisation(heldout, training, heldout) == pytest.approx(1)
