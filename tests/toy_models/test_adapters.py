"""Adapters that begin as the base, merge as they should, and leave the base alone."""

import pytest
import torch

from eisbach.arms import Arm
from toy_models import trajectories
from toy_models.adapters import KINDS, Adapted
from toy_models.arms import Stack
from toy_models.dit import Dit
from toy_models.draws import draws
from toy_models.ensemble import Recipe, beginning, train
from toy_models.networks import Mixer

SEEDS = [1000, 1001]
LAW = trajectories.curves(3, length=6)


@pytest.fixture(params=[Mixer(3, 6, width=8), Dit(3, 6, width=8, depth=2)], ids=["mixer", "dit"])
def network(request):
    return request.param


@pytest.fixture
def base(network):
    generator = torch.Generator().manual_seed(0)
    weights = beginning(network, SEEDS, 1)
    return {name: weight + 0.3 * torch.randn(weight.shape, generator=generator) for name, weight in weights.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_begin_as_the_base(kind, network, base):
    adapted = Adapted(network, base, kind)
    adapters = adapted.beginning(SEEDS, arms=2, rank=2)
    (draw,) = draws(LAW, SEEDS, 1, 5, 0.1)
    expected = network(base, draw.noisy, draw.t, draw.label)
    found = adapted(adapters, draw.noisy, draw.t, draw.label)
    torch.testing.assert_close(found, torch.cat([expected, expected]), rtol=1e-5, atol=1e-5)
    merged = adapted.inner(adapted.effective(adapters), draw.noisy, draw.t, draw.label)
    assert torch.equal(found, merged)


@pytest.mark.parametrize("kind", KINDS)
def test_training_moves_the_adapters_and_not_the_base(kind, network, base):
    before = {name: weight.clone() for name, weight in base.items()}
    adapted = Adapted(network, base, kind)
    adapters = adapted.beginning(SEEDS, arms=2, rank=2)
    stack = Stack([Arm("baseline"), Arm("barrier", 0.5)], SEEDS)
    losses = [step.loss.mean() for step in train(adapted, LAW, stack, adapters, Recipe(lr=1e-2, batch=64), 40)]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert all(torch.equal(before[name], weight) for name, weight in base.items())
    assert all(not torch.equal(weight[:2], weight[2:]) for name, weight in adapters.items() if name.endswith("up"))


def test_lora_is_of_low_rank_and_dora_keeps_its_magnitudes(network, base):
    generator = torch.Generator().manual_seed(1)
    layer = list(network.sizes())[2]
    for kind in KINDS:
        adapted = Adapted(network, base, kind)
        adapters = adapted.beginning(SEEDS, arms=1, rank=2)
        adapters = {name: weight + torch.randn(weight.shape, generator=generator) for name, weight in adapters.items()}
        merged = adapted.effective(adapters)
        if kind == "lora":
            change = merged[f"{layer}.weight"] - base[f"{layer}.weight"]
            assert (torch.linalg.matrix_rank(change, rtol=1e-4) == 2).all()
        else:
            norms = merged[f"{layer}.weight"].norm(dim=1, keepdim=True)
            torch.testing.assert_close(norms, adapters[f"{layer}.magnitude"].abs())
        assert torch.equal(merged["last.bias"], base["last.bias"])
