"""The tiny transformer: starts as the linear predictor, uses position, t and label, mixes positions only, learns."""

import pytest
import torch

from eisbach.arms import Arm
from eisbach.flow import linear_predictor
from toy_models import trajectories
from toy_models.arms import Stack
from toy_models.dit import Dit
from toy_models.ensemble import Recipe, init, train
from toy_models.heldout import draw_heldout, excess_by_class

NETWORK = Dit(2, 8, width=8, depth=2)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def weights():
    return {name: weight + 0.5 * normal(1, *weight.shape) for name, weight in init(NETWORK, [1000], 1).items()}


@pytest.fixture
def inputs():
    """Noisy samples, t and label of one model."""
    return normal(0, 1, 5, 2, 8), torch.linspace(0.1, 0.9, 5).view(1, 5), torch.tensor([[0, 1, 2, 0, 1]])


def test_a_new_model_is_the_linear_predictor(inputs):
    noisy, t, label = inputs
    output = NETWORK(init(NETWORK, [1000], 1), noisy, t, label)
    torch.testing.assert_close(output, linear_predictor(t)[..., None, None] * noisy)


def test_an_output_depends_on_all_positions_of_its_sample_and_on_no_other_sample(weights, inputs):
    noisy, t, label = inputs
    before = NETWORK(weights, noisy, t, label)
    moved = noisy.clone()
    moved[0, 2, :, 3] += 1
    changed = (NETWORK(weights, moved, t, label) != before).any(2)[0]  # [B, T]
    assert changed[2].all()
    assert not changed[[0, 1, 3, 4]].any()


@pytest.mark.parametrize("change", ["order", "t", "label"])
def test_the_correction_depends_on_order_t_and_label(change, weights, inputs):
    noisy, t, label = inputs

    def correction(t, label):
        return NETWORK(weights, noisy, t, label) - linear_predictor(t)[..., None, None] * noisy

    before = correction(t, label)
    if change == "order":
        linear = linear_predictor(t)[..., None, None] * noisy
        after = NETWORK(weights, noisy.flip(3), t, label).flip(3) - linear
    else:
        after = correction(t + 0.05, label) if change == "t" else correction(t, (label + 1) % 3)
    assert (after - before).abs().amax((2, 3)).min() > 1e-3


def test_training_reduces_the_excess_risk_of_both_classes_by_a_quarter():
    distribution = trajectories.curves(2, length=8)
    stack = Stack([Arm("baseline")], [1000])
    network, heldout = Dit(2, 8, width=16, depth=1), draw_heldout(distribution, 24, [1000])
    weights = init(network, [1000], 1)
    _, before = excess_by_class(network, weights, heldout, stride=1)
    for step in train(network, distribution, stack, weights, Recipe(lr=1e-2, batch=32), 200):
        last = step.weights
    _, after = excess_by_class(network, last, heldout, stride=1)
    assert (after < 0.75 * before).all()
