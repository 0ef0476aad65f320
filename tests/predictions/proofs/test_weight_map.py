"""The proofs about the weight's map agree with numbers that mpmath computes without sympy."""

import mpmath

from tests.predictions.proofs.conftest import close

ENERGIES = [mpmath.mpf(value) for value in ("0.3", "1.7", "0.9", "2.4", "0.05")]


def belief(energies):
    partition = mpmath.fsum(map(mpmath.exp, energies))
    return [mpmath.exp(energy) / partition for energy in energies]


def divergence(energies):
    return mpmath.log(len(energies)) + mpmath.fsum(p * mpmath.log(p) for p in belief(energies))


def tilted_variance(energies, scale):
    p = belief([scale * energy for energy in energies])
    mean = mpmath.fsum(a * b for a, b in zip(p, energies, strict=True))
    return mpmath.fsum(a * (b - mean) ** 2 for a, b in zip(p, energies, strict=True))


def test_the_divergence_is_the_integral_of_the_variance_and_lies_within_its_bounds():
    integral = mpmath.quad(lambda s: s * tilted_variance(ENERGIES, s), [0, 1])
    assert close(integral, divergence(ENERGIES))
    r = max(ENERGIES) - min(ENERGIES)
    half = tilted_variance(ENERGIES, mpmath.mpf(0)) / 2
    low, high = 2 * (1 - mpmath.exp(-r) * (1 + r)) / r**2, 2 * (1 + mpmath.exp(r) * (r - 1)) / r**2
    assert low < divergence(ENERGIES) / half < high


def test_the_energy_of_gaussian_channels_has_the_second_moment_of_the_second_order_gap():
    channels = 7

    def chi_square(power):
        density = lambda x: x ** (mpmath.mpf(channels) / 2 - 1) * mpmath.exp(-x / 2)  # noqa: E731
        return mpmath.quad(lambda x: x**power * density(x), [0, 7, 30, mpmath.inf]) / mpmath.quad(
            density, [0, 7, 30, mpmath.inf]
        )

    assert close(chi_square(2) / chi_square(1) ** 2, 1 + mpmath.mpf(2) / channels, 10)


def test_the_response_of_adams_update_to_near_constant_factors_is_a_numerical_derivative():
    gradients, deltas = [mpmath.mpf(x) for x in ("0.3", "-1.2", "0.7")], [mpmath.mpf(x) for x in ("1", "-0.5", "0.2")]

    def update(deviations, epsilon):
        first = second = mpmath.mpf(0)
        for gradient, delta in zip(gradients, deviations, strict=True):
            scaled = gradient * (1 + epsilon * delta)
            first = mpmath.mpf("0.9") * first + mpmath.mpf("0.1") * scaled
            second = mpmath.mpf("0.99") * second + mpmath.mpf("0.01") * scaled**2
        return first / mpmath.sqrt(second)

    def slope(deviations):
        return mpmath.diff(lambda epsilon: update(deviations, epsilon), 0)

    assert close(slope([1, 1, 1]), 0, 20)
    assert close(slope([2 * delta + 3 for delta in deltas]), 2 * slope(deltas), 20)
    assert abs(slope(deltas)) > mpmath.mpf("0.01")
