"""The closed forms against automatic differentiation, Monte Carlo, quadrature and the rules of probability."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach import flow
from eisbach.barrier import barrier_weight
from toy_models import densities, trajectories
from toy_models.mixture import CLASSES, NULL, Mixture

DOUBLE = torch.float64
DISTRIBUTIONS = {
    **densities.DISTRIBUTIONS,
    "c2": lambda: trajectories.curves(2),
    "c32": lambda: trajectories.curves(32),
    "closed form": lambda: trajectories.closed_form(8, 16),
}


@st.composite
def mixtures(draw, largest=64):
    """Random mixtures of up to five components with C * T <= `largest`; the means are random or 0."""
    positions = draw(st.integers(2, 16))
    channels = draw(st.integers(1, largest // positions))
    count = draw(st.integers(1, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    roots = torch.randn(count, positions, positions, dtype=DOUBLE, generator=generator) / positions**0.5
    variances, basis = torch.linalg.eigh(roots @ roots.mT + 0.01 * torch.eye(positions, dtype=DOUBLE))
    weights = torch.rand(count, dtype=DOUBLE, generator=generator) + 0.05
    classes = torch.arange(count) % len(CLASSES)
    means = draw(st.sampled_from([0.0, 1.0])) * torch.randn(
        count, channels, positions, dtype=DOUBLE, generator=generator
    )
    return Mixture(weights / weights.sum(), means, basis, variances, classes, torch.arange(count))


def noised(distribution, count, t, seed=0, label=None):
    """Clean samples, noise and x_t at one time."""
    generator = torch.Generator().manual_seed(seed)
    clean, _ = distribution.sample(count, generator, label)
    noise = torch.randn(clean.shape, dtype=DOUBLE, generator=generator)
    at = torch.full((count,), t, dtype=DOUBLE)
    return clean, noise, flow.interpolate(clean, noise, at), at


def power(distribution):
    """The mean square over channels and positions of each component, `[K]`."""
    return distribution.means.square().mean((1, 2)) + distribution.variances.mean(1)


@given(mixtures(), st.floats(0.02, 0.98), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_velocity_and_score_are_the_gradient_of_the_log_density(distribution, t, seed):
    _, _, noisy, at = noised(distribution, 4, t, seed)
    noisy.requires_grad_()
    (gradient,) = torch.autograd.grad(distribution.log_density(noisy, at).sum(), noisy)
    scale = gradient.abs().max().clamp(min=1)
    assert (distribution.score(noisy.detach(), at) - gradient).abs().max() < 1e-8 * scale
    # E[n | x_t] = -t score, E[x | x_t] = (x_t + t^2 score) / (1 - t), v = n - x
    expected = -(noisy + t * gradient) / (1 - t)
    assert (distribution.velocity(noisy, at) - expected).abs().max() < 1e-7 * scale / (1 - t)


@given(mixtures(), st.floats(0.02, 0.98), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_loss_of_the_exact_velocity_is_the_conditional_variance(distribution, t, seed):
    """Monte Carlo in up to 64 dimensions, within five standard errors; and E|y|^2 + loss = E|v|^2."""
    count = 4000
    clean, noise, noisy, at = noised(distribution, count, t, seed)
    output, target = distribution.velocity(noisy, at), flow.velocity(clean, noise)
    losses, variances = (output - target).square().mean((1, 2)), distribution.conditional_variance(noisy, at)
    assert (losses - variances).mean().abs() < 5 * (losses - variances).std() / count**0.5 + 1e-12
    cross = (output * (target - output)).mean((1, 2))  # twice its mean is E|v|^2 - E|y|^2 - loss
    assert cross.mean().abs() < 5 * cross.std() / count**0.5 + 1e-12


@given(mixtures(), st.floats(0.02, 0.98), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_error_of_the_exact_velocity_is_orthogonal_to_functions_of_x_t(distribution, t, seed):
    """So E[v | x_t] minimises the loss: adding a function of x_t to it only adds that function's square."""
    count = 4000
    clean, noise, noisy, at = noised(distribution, count, t, seed)
    error = flow.velocity(clean, noise) - distribution.velocity(noisy, at)
    for probe in (noisy, noisy.square(), torch.sin(noisy)):
        inner = (error * probe).mean((1, 2))
        assert inner.mean().abs() < 5 * inner.std() / count**0.5 + 1e-12


@given(mixtures(largest=32), st.floats(0.05, 0.95), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_density_velocity_and_variance_follow_from_those_of_the_classes(distribution, t, seed):
    """By Bayes' rule and the law of total variance."""
    _, _, noisy, at = noised(distribution, 5, t, seed)
    present = sorted(set(distribution.classes.tolist()))
    labels = [torch.full((5,), label) for label in present]
    log_joint = torch.stack(
        [
            distribution.class_mass()[label].log() + distribution.log_density(noisy, at, one)
            for label, one in zip(present, labels, strict=True)
        ]
    )
    assert torch.allclose(log_joint.logsumexp(0), distribution.log_density(noisy, at))
    share = log_joint.softmax(0)[..., None, None]
    means = torch.stack([distribution.velocity(noisy, at, one) for one in labels])
    whole = (share * means).sum(0)
    assert torch.allclose(whole, distribution.velocity(noisy, at), atol=1e-9)
    within = torch.stack([distribution.conditional_variance(noisy, at, one) for one in labels])
    between = (means - whole).square().mean((2, 3))
    total = (share[..., 0, 0] * (within + between)).sum(0)
    assert torch.allclose(total, distribution.conditional_variance(noisy, at), atol=1e-9)


@given(mixtures(), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_velocity_and_variance_are_exact_at_t_0_and_t_1(distribution, seed):
    clean, noise, _, _ = noised(distribution, 6, 0.5, seed)
    mean = torch.einsum("k,kct->ct", distribution.weights, distribution.means)
    assert torch.allclose(distribution.velocity(clean, torch.zeros(6)), -clean, atol=1e-6)  # E[n | x] = 0
    assert torch.allclose(distribution.velocity(noise, torch.ones(6)), noise - mean, atol=1e-9)  # E[x | n] = E[x]
    at_0, at_1 = (distribution.conditional_variance(*end) for end in ((clean, torch.zeros(6)), (noise, torch.ones(6))))
    assert torch.allclose(at_0, torch.ones(6, dtype=DOUBLE), atol=1e-6)  # Var[n]
    variance = (distribution.weights * power(distribution)).sum() - mean.square().mean()
    assert torch.allclose(at_1, variance.expand(6), atol=1e-9)  # Var[x]


def test_the_velocity_of_a_standard_gaussian_is_the_linear_predictor():
    distribution = Mixture(
        *(torch.ones(1, dtype=DOUBLE), torch.zeros(1, 3, 4, dtype=DOUBLE), torch.eye(4, dtype=DOUBLE)[None]),
        *(torch.ones(1, 4, dtype=DOUBLE), torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.long)),
    )
    noisy = torch.randn(9, 3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    t = torch.linspace(0, 1, 9, dtype=DOUBLE)
    assert torch.allclose(distribution.velocity(noisy, t), flow.linear_predictor(t)[:, None, None] * noisy)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_both_classes_have_mass_one_half(name):
    distribution = DISTRIBUTIONS[name]()
    assert torch.allclose(distribution.weights.sum(), torch.tensor(1.0, dtype=DOUBLE))
    assert torch.allclose(distribution.class_mass(), torch.tensor([0.5, 0.5], dtype=DOUBLE))
    assert torch.allclose(distribution.mode_mass().sum(), torch.tensor(1.0, dtype=DOUBLE))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_distribution_has_mean_0_and_mean_square_1(name):
    distribution = DISTRIBUTIONS[name]()
    assert torch.einsum("k,kct->ct", distribution.weights, distribution.means).abs().max() < 1e-12
    assert float((distribution.weights * power(distribution)).sum()) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("name", [name for name in DISTRIBUTIONS if name not in densities.DISTRIBUTIONS])
def test_all_components_of_curves_are_equally_loud(name):
    loudness = power(DISTRIBUTIONS[name]())
    assert torch.allclose(loudness, torch.ones_like(loudness), rtol=1e-9)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_samples_are_of_the_class_of_their_label(name):
    distribution = DISTRIBUTIONS[name]()
    label = torch.arange(3).repeat(500)
    _, component = distribution.sample(len(label), torch.Generator().manual_seed(0), label)
    for index in range(NULL):
        assert (distribution.classes[component[label == index]] == index).all()
    assert set(distribution.classes[component[label == NULL]].tolist()) == {0, 1}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_samples_have_the_mean_and_the_second_moment_of_the_distribution(name):
    distribution = DISTRIBUTIONS[name]()
    samples, _ = distribution.sample(4000, torch.Generator().manual_seed(0))
    mean = torch.einsum("k,kct->ct", distribution.weights, distribution.means)
    covariances = distribution.basis * distribution.variances.unsqueeze(1) @ distribution.basis.mT
    second = torch.einsum("k,kij->ij", distribution.weights, covariances)
    outer = torch.einsum("k,kci,kcj->ij", distribution.weights, distribution.means, distribution.means)
    second = second + outer / distribution.shape[0]
    assert (samples.mean(0) - mean).abs().max() < 0.1
    assert ((samples.mT @ samples).mean(0) / distribution.shape[0] - second).abs().max() < 0.15


@pytest.mark.parametrize("t", [0.1, 0.3])
def test_with_32_channels_the_contrast_class_has_more_than_twice_the_mean_weight(t):
    distribution = trajectories.curves(32)
    mean = []
    for label in range(2):
        labels = torch.full((300,), label)
        _, _, noisy, at = noised(distribution, 300, t, label=labels)
        mean.append(float(barrier_weight(distribution.velocity(noisy, at, labels)).mean()))
    assert mean[1] > 2 * mean[0]


def test_the_mean_weight_of_samples_agrees_with_quadrature():
    """E[w | t, class] of the eight Gaussians by Gauss-Hermite over x_t given each component."""
    distribution, t, label = densities.eight_gaussians(), 0.3, 1
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(60))
    weights = weights / weights.sum()
    grid = torch.cartesian_prod(nodes, nodes)
    mass = torch.cartesian_prod(weights, weights).prod(1)
    total = 0.0
    components = (distribution.classes == label).nonzero().flatten().tolist()
    for k in components:
        deviation = math.sqrt((1 - t) ** 2 * float(distribution.variances[k, 0]) + t**2)
        noisy = ((1 - t) * distribution.means[k, 0] + deviation * grid).unsqueeze(1)
        at, labels = torch.full((len(noisy),), t), torch.full((len(noisy),), label)
        total += float((mass * barrier_weight(distribution.velocity(noisy, at, labels))).sum()) / len(components)
    count = 20000
    labels = torch.full((count,), label)
    _, _, noisy, at = noised(distribution, count, t, label=labels)
    sampled = barrier_weight(distribution.velocity(noisy, at, labels))
    assert abs(float(sampled.mean()) - total) < 5 * float(sampled.std()) / count**0.5 + 2e-3
