"""Held-out draws belong to their seed, and errors on them are those of the exact velocity's definition."""

import pytest
import torch

from toy_models import densities, trajectories
from toy_models.ensemble import init
from toy_models.heldout import class_unconditional, class_unconditional_share, draw_heldout, excess_by_class, measure
from toy_models.mixture import NULL
from toy_models.networks import Mixer, Mlp

FIELDS = ("times", "noisy", "target", "exact", "bayes", "component")


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def perturbed(network, seeds, arms):
    return {name: weight + 0.1 * normal(0, *weight.shape) for name, weight in init(network, seeds, arms).items()}


@pytest.fixture(scope="module")
def both():
    return draw_heldout(trajectories.curves(3, length=6), 5, [1000, 1001])


def test_the_draws_of_a_seed_do_not_depend_on_the_other_seeds(both):
    alone = draw_heldout(trajectories.curves(3, length=6), 5, [1001])
    for name in FIELDS:
        two, one = getattr(both, name), getattr(alone, name)
        assert torch.equal(two[:, 1], one[:, 0]), name
        assert not torch.equal(two[:, 0], two[:, 1]), name


def test_each_part_of_t_has_one_time_per_seed(both):
    assert torch.equal((both.times * 20).long(), torch.arange(20).view(20, 1).expand(20, 2))


def test_no_draw_of_a_seed_recurs_in_another_at_any_time(both):
    at = both.times.view(20, 2, 1, 1, 1)
    clean = both.noisy - at * both.target  # x_t - t v
    for draws in (clean, clean + both.target):  # clean samples, noise
        assert draws.std() == pytest.approx(1, abs=0.1)
        flat = draws.transpose(0, 1).flatten(1, 2).flatten(2)
        assert torch.cdist(flat[0], flat[1]).min() > 0.1


def test_a_model_is_measured_on_the_draws_of_its_seed():
    distribution, network = densities.eight_gaussians(), Mlp(1, 2, width=8)
    weights = perturbed(network, [1000, 1001], arms=2)
    together = measure(network, weights, draw_heldout(distribution, 5, [1000, 1001]))
    alone = draw_heldout(distribution, 5, [1001])
    for model in (1, 3):  # of seed 1001
        one = measure(network, {name: weight[model : model + 1] for name, weight in weights.items()}, alone)
        for name in ("loss", "excess", "weight"):
            torch.testing.assert_close(getattr(together, name)[model], getattr(one, name)[0], rtol=1e-5, atol=1e-6)


def test_the_loss_minus_the_excess_risk_is_the_bayes_loss_in_expectation():
    """Within four standard errors, in both classes, for a model that is not the exact velocity."""
    network = Mixer(2, 16, width=8)
    heldout = draw_heldout(trajectories.curves(2), 300, [1000])
    measured = measure(network, perturbed(network, [1000], arms=1), heldout)
    difference = (measured.loss - measured.excess)[0].double() - heldout.bayes[:, 0].unsqueeze(2)  # [N, 2, count]
    error = (difference.var(2).sum(0) / difference.shape[2]).sqrt() / difference.shape[0]  # [2]
    assert (difference.mean((0, 2)).abs() < 4 * error).all()
    assert (measured.excess.mean((0, 1, 3)) > 50 * error).all()


def test_a_learning_curve_uses_every_stride_th_part():
    network = Mixer(2, 16, width=8)
    heldout = draw_heldout(trajectories.curves(2), 4, [1000, 1001])
    weights = perturbed(network, [1000, 1001], arms=2)
    measured = measure(network, weights, heldout)
    loss, excess = excess_by_class(network, weights, heldout, stride=4)
    torch.testing.assert_close(loss, measured.loss[:, 2::4].mean((1, 3)))
    torch.testing.assert_close(excess, measured.excess[:, 2::4].mean((1, 3)))


@pytest.fixture(scope="module")
def unconditional():
    """A distribution, its held-out draws and its class-unconditional velocity on them."""
    distribution = trajectories.curves(2)
    heldout = draw_heldout(distribution, 6, [1000, 1001])
    return distribution, heldout, class_unconditional(distribution, heldout, stride=4)


def test_the_class_unconditional_share_of_the_class_unconditional_velocity_is_0(unconditional):
    distribution, heldout, exact = unconditional

    def network(weights, noisy, t, label):
        assert (label == NULL).all()
        return distribution.velocity(noisy.flatten(0, 1), t.flatten()).view(noisy.shape).float()

    assert class_unconditional_share(network, {}, heldout, exact).abs().max() < 1e-10


def test_the_class_unconditional_share_of_a_model_that_outputs_0_is_the_velocitys_power_over_bayes(unconditional):
    _, heldout, exact = unconditional
    share = class_unconditional_share(lambda weights, noisy, t, label: torch.zeros_like(noisy), {}, heldout, exact)
    torch.testing.assert_close(share, exact.exact.square().mean((0, 2, 3, 4)) / exact.bayes)
