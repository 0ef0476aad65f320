import copy

import pytest
import torch
from torch import nn

from eisbach.adapters.layer import PairedLayer
from eisbach.adapters.paired import PairedAdapters
from eisbach.errors import UserError
from eisbach.models.conditioning import dit_inputs


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_an_untrained_adapter_changes_nothing(tiny_model, velocity, kind):
    before = velocity(tiny_model)
    adapters = PairedAdapters(tiny_model.model.model, ["a"], kind, 4, 4.0)
    adapters.activate("a")
    torch.testing.assert_close(velocity(tiny_model), before)


def test_every_linear_and_convolution_is_adapted(tiny_model):
    dit = tiny_model.model.model
    before = {name for name, module in dit.named_modules() if type(module) in (nn.Linear, nn.Conv1d)}
    adapters = PairedAdapters(dit, ["a"], "dora", 4, 4.0)
    assert adapters.layers.keys() == before
    assert all(isinstance(dit.get_submodule(name), PairedLayer) for name in before)
    parts = ("to_qkv", "to_out", "to_kv", "project_in", "preprocess_conv", "to_timestep_embed.0", "to_local_embed.2")
    assert all(any(part in name for name in before) for part in parts)


def test_only_the_adapters_are_trainable(tiny_model):
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], "dora", 4, 4.0)
    trainable = {id(parameter) for parameter in tiny_model.parameters() if parameter.requires_grad}
    assert trainable == {id(parameter) for arm in "ab" for parameter in adapters.parameters(arm).values()}


def test_arms_of_one_seed_start_equal(tiny_model):
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], "dora", 4, 4.0, seed=1)
    a, b = adapters.state("a"), adapters.state("b")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_seeds_differ_in_every_a_and_in_nothing_else(tiny_model):
    other_model = copy.deepcopy(tiny_model)
    one = PairedAdapters(tiny_model.model.model, ["a"], "dora", 4, 4.0, seed=1).state("a")
    other = PairedAdapters(other_model.model.model, ["a"], "dora", 4, 4.0, seed=2).state("a")
    for name in one:
        assert torch.equal(one[name], other[name]) == ("lora_A" not in name), name


def test_reset_restores_the_initial_values_of_a_seed(tiny_model, perturb):
    adapters = PairedAdapters(tiny_model.model.model, ["a"], "dora", 4, 4.0, seed=1)
    initial = adapters.state("a")
    perturb(adapters, "a")
    adapters.reset(1)
    assert all(torch.equal(initial[name], tensor) for name, tensor in adapters.state("a").items())


def test_only_the_active_arm_shapes_the_output(tiny_model, velocity, perturb):
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], "dora", 4, 4.0)
    untouched = velocity(tiny_model)
    perturb(adapters, "b")
    adapters.activate("a")
    torch.testing.assert_close(velocity(tiny_model), untouched)
    adapters.activate("b")
    assert not torch.allclose(velocity(tiny_model), untouched)


def test_only_the_active_arm_receives_gradients(tiny_model, velocity):
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], "dora", 4, 4.0)
    adapters.activate("a")
    velocity(tiny_model).square().mean().backward()
    assert all(parameter.grad is not None for parameter in adapters.parameters("a").values())
    assert all(parameter.grad is None for parameter in adapters.parameters("b").values())


def test_removing_the_adapters_restores_the_dit_and_inserting_them_brings_them_back(tiny_model, velocity, perturb):
    layers = dict(tiny_model.model.model.named_modules())
    plain = velocity(tiny_model)
    adapters = PairedAdapters(tiny_model.model.model, ["a"], "dora", 4, 4.0)
    perturb(adapters, "a")
    adapted = velocity(tiny_model)
    adapters.remove()
    assert dict(tiny_model.model.model.named_modules()) == layers
    assert torch.equal(velocity(tiny_model), plain)
    adapters.insert()
    assert torch.equal(velocity(tiny_model), adapted)
    assert not torch.allclose(adapted, plain)


@pytest.mark.parametrize("wrong", [{"kind": "ia3"}, {"kind": "lora", "norm_gradient": "ours"}])
def test_an_unknown_kind_or_norm_gradient_is_refused(tiny_model, wrong):
    with pytest.raises(UserError, match=r"is '(ia3|ours)' in params\.yaml; it must be '"):
        PairedAdapters(tiny_model.model.model, ["a"], rank=4, alpha=4.0, **wrong)


def stacked(model, clips, count):
    """Every active arm's output at the same input, `[count, B, C, T]`; conditions embedded once, as in training."""
    x = torch.randn(clips.latents.shape, generator=torch.Generator().manual_seed(5))
    inputs = dit_inputs(model, clips.states.float(), clips.token_mask, clips.seconds, x.shape[-1])
    inputs = {name: torch.cat([value] * count) for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    made = model.model(torch.cat([x] * count), torch.full((count * len(x),), 0.4), **inputs, use_checkpointing=False)
    return made.unflatten(0, (count, -1))


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_stacked_arms_equal_single_arms_bit_for_bit(tiny_model, clips, perturb, kind):
    names = ["a", "b", "c"]
    adapters = PairedAdapters(tiny_model.model.model, names, kind, 4, 4.0)
    for seed, arm in enumerate(names[1:]):
        perturb(adapters, arm, seed)

    def gradients(*arms):
        adapters.activate(*arms)
        made = stacked(tiny_model, clips, len(arms))
        wanted = [parameter for arm in arms for parameter in adapters.parameters(arm).values()]
        return made, torch.autograd.grad(made.square().sum(), wanted)

    made, together = gradients(*names)
    assert not torch.allclose(made[1], made[2])
    size = len(together) // 3
    for index, arm in enumerate(names):
        alone, own = gradients(arm)
        assert torch.equal(alone[0], made[index])
        assert all(map(torch.equal, own, together[index * size : (index + 1) * size]))


def test_the_delta_norm_of_an_untrained_adapter_is_zero(tiny_model):
    assert PairedAdapters(tiny_model.model.model, ["a"], "lora", 4, 8.0).delta_norm("a") == 0


def test_the_delta_norm_is_the_norm_of_the_added_weights(tiny_model, perturb):
    adapters = PairedAdapters(tiny_model.model.model, ["a"], "lora", 4, 8.0)
    perturb(adapters, "a")
    deltas = [2 * layer.lora_B[0] @ layer.lora_A[0] for layer in adapters.layers.values()]
    assert adapters.delta_norm("a") == pytest.approx(sum(d.square().sum().item() for d in deltas) ** 0.5, rel=1e-5)
