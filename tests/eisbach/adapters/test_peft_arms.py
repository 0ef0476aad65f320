import copy
import json

import pytest
import torch

from eisbach.adapters.peft_arms import PairedAdapters, config, targets
from eisbach.errors import UserError
from eisbach.models.velocity import predict


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
    assert all(parameter.grad is not None for name, parameter in adapters.parameters("a").items() if "lora_B" in name)
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


def test_a_missing_adapter_and_an_unknown_kind_are_named(tmp_path, tiny_model):
    dit = tiny_model.model.model
    with pytest.raises(UserError, match=r"adapter_model\.safetensors is missing"):
        PairedAdapters(dit, ["a"], "lora", 4, 4.0).load("a", tmp_path)
    with pytest.raises(UserError, match="'lora' or 'dora'"):
        config(dit, "ia3", 4, 4.0)
