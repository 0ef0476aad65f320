import pytest
import torch

from eisbach.adapters.merged import merged
from eisbach.adapters.paired import PairedAdapters


@pytest.fixture(params=["lora", "dora"])
def adapters(request, tiny_model, perturb):
    """Two arms that differ from each other and from their initial values in every tensor."""
    adapters = PairedAdapters(tiny_model.model.model, ["one", "other"], request.param, 4, 8.0)
    for seed, arm in enumerate(adapters.arms):
        perturb(adapters, arm, seed, 0.1)
    return adapters


def test_a_merged_arm_gives_the_outputs_of_the_adapted_one(adapters, tiny_model, velocity):
    outputs = []
    for arm in adapters.arms:
        adapters.activate(arm)
        outputs.append(velocity(tiny_model))
        with merged(adapters, arm):
            torch.testing.assert_close(velocity(tiny_model), outputs[-1], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(*outputs, atol=1e-2)


def test_a_merged_arm_runs_on_the_base_s_own_layers(adapters, tiny_model):
    with merged(adapters, "one"):
        for name, layer in adapters.layers.items():
            assert adapters.dit.get_submodule(name) is layer.base_layer


@pytest.mark.parametrize("failing", [False, True])
def test_afterwards_every_output_is_restored_bit_for_bit(adapters, tiny_model, velocity, failing):
    adapters.activate("other")
    before = velocity(tiny_model)
    try:
        with merged(adapters, "one"):
            if failing:
                raise RuntimeError("in the middle")
    except RuntimeError:
        assert failing
    assert torch.equal(velocity(tiny_model), before)


def test_strength_one_is_the_merged_adapter_and_zero_the_base(adapters, tiny_model, velocity):
    adapters.remove()
    base = velocity(tiny_model)
    adapters.insert()
    with merged(adapters, "one"):
        whole = velocity(tiny_model)
    found = {}
    for strength in (0.0, 0.5, 1.0):
        with merged(adapters, "one", strength):
            found[strength] = velocity(tiny_model)
    assert torch.equal(found[0.0], base)
    assert torch.equal(found[1.0], whole)
    assert not torch.allclose(found[0.5], whole, atol=1e-3)
    assert not torch.allclose(found[0.5], base, atol=1e-3)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_rounding_the_weight_is_stability_s_layer_in_output_and_gradient(kind):
    """The oracle is Stability's own parametrization of a bf16 layer."""
    from eisbach.adapters.layer import PairedLayer

    generator = torch.Generator().manual_seed(0)
    plain = torch.nn.Linear(24, 16).bfloat16()
    x = torch.randn(1, 5, 24, generator=generator).bfloat16()
    layer = PairedLayer(plain, 1, 4, 2.0, magnitudes=kind == "dora")
    layer.rounding = "weight"
    with torch.no_grad():
        for parameter in layer.tensors(0).values():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    layer(x).float().square().sum().backward()

    from stable_audio_tools.models.lora.model import LoRAParametrization

    theirs = LoRAParametrization(24, 16, rank=4, lora_alpha=8, adapter_type={"lora": "lora", "dora": "dora-rows"}[kind])
    names = dict(zip(("lora_A", "lora_B", "magnitude"), layer.tensors(0).values(), strict=False))
    with torch.no_grad():
        for name, parameter in names.items():
            getattr(theirs, name).copy_(parameter)
    output = torch.nn.functional.linear(x, theirs(plain.weight).to(torch.bfloat16), plain.bias)
    assert torch.equal(output, layer(x))
    output.float().square().sum().backward()
    for name, parameter in names.items():
        torch.testing.assert_close(parameter.grad, getattr(theirs, name).grad, rtol=1e-4, atol=1e-4)
