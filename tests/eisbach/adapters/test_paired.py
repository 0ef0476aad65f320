import copy
import json

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import nn

from eisbach.adapters.paired import PairedAdapters, PairedLayer, targets
from eisbach.errors import UserError
from eisbach.models.conditioning import dit_inputs
from eisbach.models.velocity import predict
from eisbach.pipeline.threads import thread_map


@pytest.fixture
def clips(tiny_archive):
    return tiny_archive.rows(torch.arange(3))


def output(model, clips):
    x = torch.randn(clips.latents.shape, generator=torch.Generator().manual_seed(5))
    return predict(model, x, torch.full((len(x),), 0.4), clips)


def disturb(adapters, arm):
    with torch.no_grad():
        for parameter in adapters.parameters(arm).values():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7)))


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_an_untrained_adapter_changes_nothing(tiny_model, clips, kind):
    before = output(tiny_model, clips)
    adapters = PairedAdapters(tiny_model.model.model, ["a"], kind, 4, 4.0)
    adapters.activate("a")
    torch.testing.assert_close(output(tiny_model, clips), before)


def test_every_linear_and_convolution_is_adapted(tiny_model):
    dit = tiny_model.model.model
    names = targets(dit)
    adapters = PairedAdapters(dit, ["a"], "dora", 4, 4.0)
    assert len(adapters.layers) == len(names)
    for part in (
        "to_qkv",
        "to_out",
        "to_kv",
        "project_in",
        "preprocess_conv",
        "to_timestep_embed.0",
        "to_local_embed.2",
    ):
        assert any(part in name for name in names)


def test_arms_start_equal_and_seeds_differ(tiny_model):
    untouched = copy.deepcopy(tiny_model)
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], "dora", 4, 4.0, seed=1)
    a, b = adapters.state("a"), adapters.state("b")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    other = PairedAdapters(untouched.model.model, ["c"], "dora", 4, 4.0, seed=2).state("c")
    assert any(not torch.equal(a[name], other[name]) for name in a)


def test_only_the_active_arm_acts_and_learns(tiny_model, clips):
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], "dora", 4, 4.0)
    untouched = output(tiny_model, clips)
    disturb(adapters, "b")
    adapters.activate("a")
    made = output(tiny_model, clips)
    torch.testing.assert_close(made, untouched)
    made.square().mean().backward()
    assert all(parameter.grad is not None for parameter in adapters.parameters("a").values())
    assert all(parameter.grad is None for parameter in adapters.parameters("b").values())
    adapters.activate("b")
    assert not torch.allclose(output(tiny_model, clips), untouched)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_a_saved_adapter_acts_alike_in_another_arm(tmp_path, tiny_model, clips, kind):
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], kind, 4, 4.0)
    disturb(adapters, "a")
    adapters.activate("a")
    wanted = output(tiny_model, clips)
    adapters.save("a", tmp_path / "adapter")
    adapters.load("b", tmp_path / "adapter")
    adapters.activate("b")
    assert torch.equal(output(tiny_model, clips), wanted)
    saved = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert saved["r"] == 4
    assert saved["use_dora"] == (kind == "dora")


def test_saving_twice_gives_the_same_bytes(tmp_path, tiny_model):
    adapters = PairedAdapters(tiny_model.model.model, ["a"], "dora", 4, 4.0)
    for name in ("one", "two"):
        adapters.save("a", tmp_path / name)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_missing_adapter_and_unknown_words_are_named(tmp_path, tiny_model):
    dit = tiny_model.model.model
    for wrong in ({"kind": "ia3"}, {"kind": "lora", "norm_gradient": "ours"}):
        with pytest.raises(UserError, match="must be '"):
            PairedAdapters(dit, ["a"], rank=4, alpha=4.0, **wrong)
    with pytest.raises(UserError, match=r"adapter_model\.safetensors is missing"):
        PairedAdapters(dit, ["a"], "lora", 4, 4.0).load("a", tmp_path)


def test_an_adapter_that_does_not_fit_is_named_by_tensor(tmp_path, tiny_model):
    adapters = PairedAdapters(tiny_model.model.model, ["a"], "lora", 4, 4.0)
    adapters.save("a", tmp_path / "adapter")
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    state = load_file(path)
    name = next(name for name in state if "project_in.lora_A" in name)
    for broken in ({**state, name: state[name][:3]}, {key: state[key] for key in state if key != name}):
        save_file(broken, path)
        with pytest.raises(UserError, match=r"project_in\.lora_A"):
            adapters.load("a", tmp_path / "adapter")


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_peft_loads_what_is_saved_and_agrees(tmp_path, tiny_model, clips, kind):
    plain = copy.deepcopy(tiny_model)
    adapters = PairedAdapters(tiny_model.model.model, ["a"], kind, 4, 6.0)
    disturb(adapters, "a")
    adapters.save("a", tmp_path / "adapter")
    dit = plain.model.model
    inject_adapter_in_model(LoraConfig.from_pretrained(tmp_path / "adapter"), dit)
    outcome = set_peft_model_state_dict(dit, load_file(tmp_path / "adapter" / "adapter_model.safetensors"))
    assert not outcome.unexpected_keys
    torch.testing.assert_close(output(tiny_model, clips), output(plain, clips), rtol=1e-5, atol=1e-5)


def stacked(model, clips, count):
    """Every active arm's output at the same input, [count, B, C, T]; conditions embedded once, as in training."""
    x = torch.randn(clips.latents.shape, generator=torch.Generator().manual_seed(5))
    inputs = dit_inputs(model, clips.states.float(), clips.token_mask, clips.seconds, x.shape[-1])
    inputs = {name: torch.cat([value] * count) for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    made = model.model(torch.cat([x] * count), torch.full((count * len(x),), 0.4), **inputs, use_checkpointing=False)
    return made.unflatten(0, (count, -1))


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_stacked_arms_are_the_single_ones_bit_for_bit(tiny_model, clips, kind):
    names = ["a", "b", "c"]
    adapters = PairedAdapters(tiny_model.model.model, names, kind, 4, 4.0)
    for arm in names[1:]:
        disturb(adapters, arm)

    def gradients(*arms):
        adapters.activate(*arms)
        made = stacked(tiny_model, clips, len(arms))
        wanted = [parameter for arm in arms for parameter in adapters.parameters(arm).values()]
        return made, torch.autograd.grad(made.square().sum(), wanted)

    made, together = gradients(*names)
    size = len(together) // 3
    for place, arm in enumerate(names):
        alone, own = gradients(arm)
        assert torch.equal(alone[0], made[place])
        assert all(map(torch.equal, own, together[place * size : (place + 1) * size]))


def test_delta_norm_is_the_norm_of_what_is_added(tiny_model):
    adapters = PairedAdapters(tiny_model.model.model, ["a"], "lora", 4, 8.0)
    assert adapters.delta_norm("a") == 0
    disturb(adapters, "a")
    deltas = [2 * layer.lora_B[0] @ layer.lora_A[0] for layer in adapters.layers.values()]
    assert adapters.delta_norm("a") == pytest.approx(sum(d.square().sum().item() for d in deltas) ** 0.5, rel=1e-5)


def test_wide_kernels_are_refused():
    with pytest.raises(ValueError, match="kernel 1"):
        PairedLayer(nn.Conv1d(4, 4, 3), 1, 2, 1.0, magnitudes=True)


def test_a_thread_s_choice_of_arms_is_its_own_and_starts_as_the_caller_s(tiny_model, clips):
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], "dora", 4, 4.0)
    disturb(adapters, "b")

    def made(*arms):
        adapters.activate(*arms)
        return output(tiny_model, clips)

    with torch.no_grad():
        wanted = {"a": made("a"), "b": made("b")}
        side_by_side = thread_map(torch.no_grad()(made), ["a", "b"] * 3, 2)
        assert all(torch.allclose(got, wanted[arm]) for got, arm in zip(side_by_side, ["a", "b"] * 3, strict=True))
        inherited = thread_map(torch.no_grad()(lambda _: output(tiny_model, clips)), range(2), 2)
        assert all(torch.allclose(got, wanted["b"]) for got in inherited)
    assert not torch.allclose(wanted["a"], wanted["b"])
