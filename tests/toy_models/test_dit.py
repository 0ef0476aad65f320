"""The tiny transformer: begins as the linear predictor, sees order, mixes positions, knows t and the label, learns."""

import pytest
import torch

from eisbach.arms import Arm
from eisbach.flow import linear_predictor
from toy_models import trajectories
from toy_models.arms import Stack
from toy_models.dit import Dit
from toy_models.ensemble import Recipe, beginning, train
from toy_models.heldout import excess_by_class, heldout

NETWORK = Dit(2, 8, width=8, depth=2)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def weights():
    return {name: weight + 0.5 * normal(1, *weight.shape) for name, weight in beginning(NETWORK, [1000], 1).items()}


@pytest.fixture
def given():
    """Noisy samples, t and label of one model."""
    return normal(0, 1, 5, 2, 8), torch.linspace(0.1, 0.9, 5).view(1, 5), torch.tensor([[0, 1, 2, 0, 1]])


def test_it_begins_as_the_linear_predictor(given):
    noisy, t, label = given
    output = NETWORK(beginning(NETWORK, [1000], 1), noisy, t, label)
    torch.testing.assert_close(output, linear_predictor(t)[..., None, None] * noisy)


def test_a_sample_knows_all_its_positions_and_no_other_sample(weights, given):
    noisy, t, label = given
    before = NETWORK(weights, noisy, t, label)
    moved = noisy.clone()
    moved[0, 2, :, 3] += 1
    changed = (NETWORK(weights, moved, t, label) != before).any(2)[0]  # [B, T]
    assert changed[2].all()
    assert not changed[[0, 1, 3, 4]].any()


def test_order_t_and_label_matter(weights, given):
    noisy, t, label = given
    before = NETWORK(weights, noisy, t, label) - linear_predictor(t)[..., None, None] * noisy
    turned = NETWORK(weights, noisy.flip(3), t, label).flip(3) - linear_predictor(t)[..., None, None] * noisy
    later = NETWORK(weights, noisy, t + 0.05, label) - linear_predictor(t + 0.05)[..., None, None] * noisy
    other = NETWORK(weights, noisy, t, (label + 1) % 3) - linear_predictor(t)[..., None, None] * noisy
    for changed in (turned, later, other):
        assert (changed - before).abs().amax((2, 3)).min() > 1e-3


def test_it_learns_to_beat_the_linear_predictor():
    law = trajectories.curves(2, length=8)
    stack = Stack([Arm("baseline")], [1000])
    network, held = Dit(2, 8, width=16, depth=1), heldout(law, 24, [1000])
    weights = beginning(network, [1000], 1)
    _, before = excess_by_class(network, weights, held, every_nth=1)
    for step in train(network, law, stack, weights, Recipe(lr=1e-2, batch=32), 200):
        last = step.weights
    _, after = excess_by_class(network, last, held, every_nth=1)
    assert (after < 0.75 * before).all()
