"""The closed forms against automatic differentiation, Monte Carlo, quadrature and the laws of probability."""

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
LAWS = {
    **densities.LAWS,
    "c2": lambda: trajectories.curves(2),
    "c32": lambda: trajectories.curves(32),
    "closed form": lambda: trajectories.closed_form(8, 16),
}


@st.composite
def mixtures(draw, largest=64):
    """Random mixtures of up to five components with C * T <= `largest`, with and without means."""
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


def noised(law, count, t, seed=0, label=None):
    """Clean samples, noise and x_t at one time."""
    generator = torch.Generator().manual_seed(seed)
    clean, _ = law.sample(count, generator, label)
    noise = torch.randn(clean.shape, dtype=DOUBLE, generator=generator)
    at = torch.full((count,), t, dtype=DOUBLE)
    return clean, noise, flow.interpolate(clean, noise, at), at


@given(mixtures(), st.floats(0.02, 0.98), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_velocity_and_score_are_the_gradient_of_the_log_density(law, t, seed):
    _, _, noisy, at = noised(law, 4, t, seed)
    noisy.requires_grad_()
    (gradient,) = torch.autograd.grad(law.log_density(noisy, at).sum(), noisy)
    scale = gradient.abs().max().clamp(min=1)
    assert (law.score(noisy.detach(), at) - gradient).abs().max() < 1e-8 * scale
    # E[n | x_t] = -t score, E[x | x_t] = (x_t + t^2 score) / (1 - t), v = n - x
    expected = -(noisy + t * gradient) / (1 - t)
    assert (law.velocity(noisy, at) - expected).abs().max() < 1e-7 * scale / (1 - t)


@given(mixtures(), st.floats(0.02, 0.98), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_loss_of_the_velocity_is_the_conditional_variance(law, t, seed):
    """Monte Carlo in up to 64 dimensions, five standard errors; and E|y|^2 + loss = E|v|^2."""
    count = 4000
    clean, noise, noisy, at = noised(law, count, t, seed)
    output, target = law.velocity(noisy, at), flow.velocity(clean, noise)
    losses, variances = (output - target).square().mean((1, 2)), law.conditional_loss(noisy, at)
    assert (losses - variances).mean().abs() < 5 * (losses - variances).std() / count**0.5 + 1e-12
    cross = (output * (target - output)).mean((1, 2))  # E|v|^2 - E|y|^2 - loss is twice its mean
    assert cross.mean().abs() < 5 * cross.std() / count**0.5 + 1e-12


@given(mixtures(), st.floats(0.02, 0.98), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_no_shift_and_no_scale_of_the_velocity_has_less_loss(law, t, seed):
    """E[v | x_t] is a minimiser: the error is orthogonal to functions of x_t."""
    count = 4000
    clean, noise, noisy, at = noised(law, count, t, seed)
    error = flow.velocity(clean, noise) - law.velocity(noisy, at)
    for probe in (noisy, noisy.square(), torch.sin(noisy)):
        inner = (error * probe).mean((1, 2))
        assert inner.mean().abs() < 5 * inner.std() / count**0.5 + 1e-12


@given(mixtures(largest=32), st.floats(0.05, 0.95), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_classes_make_up_the_whole(law, t, seed):
    """Density, velocity and variance of the whole law from its classes', by Bayes' rule and total variance."""
    _, _, noisy, at = noised(law, 5, t, seed)
    present = sorted(set(law.classes.tolist()))
    labels = [torch.full((5,), label) for label in present]
    log_joint = torch.stack(
        [
            law.class_mass()[label].log() + law.log_density(noisy, at, each)
            for label, each in zip(present, labels, strict=True)
        ]
    )
    assert torch.allclose(log_joint.logsumexp(0), law.log_density(noisy, at))
    share = log_joint.softmax(0)[..., None, None]
    means = torch.stack([law.velocity(noisy, at, each) for each in labels])
    whole = (share * means).sum(0)
    assert torch.allclose(whole, law.velocity(noisy, at), atol=1e-9)
    within = torch.stack([law.conditional_loss(noisy, at, each) for each in labels])
    between = (means - whole).square().mean((2, 3))
    total = (share[..., 0, 0] * (within + between)).sum(0)
    assert torch.allclose(total, law.conditional_loss(noisy, at), atol=1e-9)


@given(mixtures(), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_both_ends_are_exact(law, seed):
    clean, noise, _, _ = noised(law, 6, 0.5, seed)
    mean = torch.einsum("k,kct->ct", law.weights, law.means)
    assert torch.allclose(law.velocity(clean, torch.zeros(6)), -clean, atol=1e-6)  # E[n | x] = 0
    assert torch.allclose(law.velocity(noise, torch.ones(6)), noise - mean, atol=1e-9)  # E[x | n] = E[x]
    assert torch.allclose(law.conditional_loss(clean, torch.zeros(6)), torch.ones(6, dtype=DOUBLE), atol=1e-6)


def test_one_standard_gaussian_has_the_linear_velocity():
    law = Mixture(
        *(torch.ones(1, dtype=DOUBLE), torch.zeros(1, 3, 4, dtype=DOUBLE), torch.eye(4, dtype=DOUBLE)[None]),
        *(torch.ones(1, 4, dtype=DOUBLE), torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.long)),
    )
    noisy, t = torch.randn(9, 3, 4, dtype=DOUBLE), torch.linspace(0, 1, 9, dtype=DOUBLE)
    assert torch.allclose(law.velocity(noisy, t), flow.linear_predictor(t)[:, None, None] * noisy)


@pytest.mark.parametrize("name", LAWS)
def test_the_laws_have_unit_power_and_equal_classes(name):
    law = LAWS[name]()
    assert torch.allclose(law.weights.sum(), torch.tensor(1.0, dtype=DOUBLE))
    assert torch.allclose(law.class_mass(), torch.tensor([0.5, 0.5], dtype=DOUBLE))
    power = law.means.square().mean((1, 2)) + law.variances.mean(1)
    assert float((law.weights * power).sum()) == pytest.approx(1, rel=0.03)
    if name not in densities.LAWS:
        assert torch.allclose(power, torch.ones_like(power), rtol=1e-9)  # no class is louder


@pytest.mark.parametrize("name", LAWS)
def test_samples_have_the_mean_the_covariance_and_the_labels_of_the_law(name):
    law = LAWS[name]()
    label = torch.arange(3).repeat(4000)
    clean, component = law.sample(len(label), torch.Generator().manual_seed(0), label)
    for each in range(NULL):
        assert (law.classes[component[label == each]] == each).all()
    whole = clean[label == NULL]
    mean = torch.einsum("k,kct->ct", law.weights, law.means)
    second = torch.einsum("k,kij->ij", law.weights, law.basis * law.variances.unsqueeze(1) @ law.basis.mT)
    second = second + torch.einsum("k,kci,kcj->ij", law.weights, law.means, law.means) / law.shape[0]
    assert (whole.mean(0) - mean).abs().max() < 0.1
    assert ((whole.mT @ whole).mean(0) / law.shape[0] - second).abs().max() < 0.15


def test_many_channels_double_the_contrast_class_weight():
    """The regime of real latents: the ratio of the classes' mean weights is at least 2 at some t; asked of C = 32."""
    law = trajectories.curves(32)
    ratios = []
    for t in (0.1, 0.3):
        mean = []
        for label in range(2):
            labels = torch.full((300,), label)
            _, _, noisy, at = noised(law, 300, t, label=labels)
            mean.append(barrier_weight(law.velocity(noisy, at, labels)).mean())
        ratios.append(float(mean[1] / mean[0]))
    assert min(ratios) > 2


def test_weight_by_sampling_agrees_with_quadrature():
    """E[w | t, class] of the eight Gaussians by Gauss-Hermite over x_t given each component."""
    law, t, label = densities.eight_gaussians(), 0.3, 1
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(60))
    weights = weights / weights.sum()
    grid = torch.cartesian_prod(nodes, nodes)
    mass = torch.cartesian_prod(weights, weights).prod(1)
    total = 0.0
    components = (law.classes == label).nonzero().flatten().tolist()
    for k in components:
        deviation = math.sqrt((1 - t) ** 2 * float(law.variances[k, 0]) + t**2)
        noisy = ((1 - t) * law.means[k, 0] + deviation * grid).unsqueeze(1)
        at, labels = torch.full((len(noisy),), t), torch.full((len(noisy),), label)
        total += float((mass * barrier_weight(law.velocity(noisy, at, labels))).sum()) / len(components)
    count = 20000
    labels = torch.full((count,), label)
    _, _, noisy, at = noised(law, count, t, label=labels)
    sampled = barrier_weight(law.velocity(noisy, at, labels))
    assert abs(float(sampled.mean()) - total) < 5 * float(sampled.std()) / count**0.5 + 2e-3
