"""Adapters start as the base, merge by their formulas, and leave the base unchanged."""

import pytest
import torch

from eisbach.arms import Arm
from toy_models import trajectories
from toy_models.adapters import KINDS, Adapted
from toy_models.arms import Stack
from toy_models.dit import Dit
from toy_models.draws import draws
from toy_models.ensemble import Recipe, init, train
from toy_models.networks import Mixer

SEEDS = [1000, 1001]
DISTRIBUTION = trajectories.curves(3, length=6)


@pytest.fixture(params=[Mixer(3, 6, width=8), Dit(3, 6, width=8, depth=2)], ids=["mixer", "dit"])
def network(request):
    return request.param


def perturbed(weights, seed, size):
    generator = torch.Generator().manual_seed(seed)
    return {name: weight + size * torch.randn(weight.shape, generator=generator) for name, weight in weights.items()}


@pytest.fixture
def base(network):
    return perturbed(init(network, SEEDS, 1), seed=0, size=0.3)


@pytest.mark.parametrize("kind", KINDS)
def test_new_adapters_leave_the_base_output_unchanged(kind, network, base):
    adapted = Adapted(network, base, kind)
    adapters = adapted.init(SEEDS, arms=2, rank=2)
    (draw,) = draws(DISTRIBUTION, SEEDS, 1, 5, 0.1)
    expected = network(base, draw.noisy, draw.t, draw.label)
    output = adapted(adapters, draw.noisy, draw.t, draw.label)
    torch.testing.assert_close(output, torch.cat([expected, expected]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_merged_weights_follow_the_formula_of_each_model(kind, network, base):
    adapted = Adapted(network, base, kind)
    adapters = perturbed(adapted.init(SEEDS, arms=2, rank=2), seed=1, size=1.0)
    merged = adapted.merged(adapters)
    assert merged.keys() == base.keys()
    for layer in network.sizes():
        for model in range(4):
            frozen = base[f"{layer}.weight"][model % 2]
            weight = frozen + adapters[f"{layer}.down"][model] @ adapters[f"{layer}.up"][model]
            if kind == "dora":
                weight = adapters[f"{layer}.magnitude"][model] * weight / weight.square().sum(0).sqrt()
            torch.testing.assert_close(merged[f"{layer}.weight"][model], weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapted_network_runs_on_the_merged_weights(kind, network, base):
    adapted = Adapted(network, base, kind)
    adapters = perturbed(adapted.init(SEEDS, arms=2, rank=2), seed=1, size=0.3)
    (draw,) = draws(DISTRIBUTION, SEEDS, 1, 5, 0.1)
    output = adapted(adapters, draw.noisy, draw.t, draw.label)
    assert torch.equal(output, network(adapted.merged(adapters), draw.noisy, draw.t, draw.label))
    unadapted = network(base, draw.noisy, draw.t, draw.label).repeat(2, 1, 1, 1)
    assert ((output - unadapted).abs().amax((1, 2, 3)) > 1e-3).all()


@pytest.mark.parametrize("kind", KINDS)
def test_training_changes_the_adapters_but_not_the_base(kind, network, base):
    before = {name: weight.clone() for name, weight in base.items()}
    adapted = Adapted(network, base, kind)
    adapters = adapted.init(SEEDS, arms=2, rank=2)
    start = {name: weight.clone() for name, weight in adapters.items()}
    stack = Stack([Arm("baseline"), Arm("barrier", 0.5)], SEEDS)
    losses = [step.loss.mean() for step in train(adapted, DISTRIBUTION, stack, adapters, Recipe(lr=1e-2, batch=64), 40)]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert all(torch.equal(before[name], weight) for name, weight in base.items())
    assert all(not torch.equal(start[name], weight) for name, weight in adapters.items())
    assert all(not torch.equal(weight[:2], weight[2:]) for name, weight in adapters.items() if name.endswith("up"))


def test_lora_changes_a_layer_by_a_matrix_of_its_rank(network, base):
    adapted = Adapted(network, base, "lora")
    adapters = perturbed(adapted.init(SEEDS, arms=1, rank=2), seed=1, size=1.0)
    merged = adapted.merged(adapters)
    layer = list(network.sizes())[2]
    change = merged[f"{layer}.weight"] - base[f"{layer}.weight"]
    assert (torch.linalg.matrix_rank(change, rtol=1e-4) == 2).all()


def test_the_columns_of_a_dora_layer_have_the_norm_of_its_magnitudes(network, base):
    adapted = Adapted(network, base, "dora")
    adapters = perturbed(adapted.init(SEEDS, arms=1, rank=2), seed=1, size=1.0)
    merged = adapted.merged(adapters)
    for layer in network.sizes():
        norms = merged[f"{layer}.weight"].norm(dim=1, keepdim=True)
        torch.testing.assert_close(norms, adapters[f"{layer}.magnitude"].abs())


@pytest.mark.parametrize("kind", KINDS)
def test_biases_stay_those_of_the_base(kind, network, base):
    adapted = Adapted(network, base, kind)
    merged = adapted.merged(perturbed(adapted.init(SEEDS, arms=2, rank=2), seed=1, size=1.0))
    for name, weight in base.items():
        if name.endswith("bias"):
            assert torch.equal(merged[name], torch.cat([weight, weight]))
