import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from eisbach.adapters.imported import files, use_adapter
from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.sa3_format import export_adapter
from eisbach.errors import UserError


@pytest.fixture
def plain(tiny_model, velocity):
    """The velocity without any adapter."""
    return velocity(tiny_model)


@pytest.fixture
def exported(tmp_path, tiny_model, velocity, perturb, plain):
    """A file with an adapter of another kind and rank than ours, and the velocity that it gives."""
    theirs = PairedAdapters(tiny_model.model.model, ["a"], "lora", 3, 5.0)
    perturb(theirs, "a")
    theirs.save("a", tmp_path / "adapter")
    export_adapter(tmp_path / "adapter", tmp_path / "theirs.safetensors")
    wanted = velocity(tiny_model)
    theirs.remove()
    assert not torch.allclose(wanted, plain, atol=1e-2)
    return tmp_path / "theirs.safetensors", wanted


@pytest.fixture
def ours(exported, tiny_model):
    return PairedAdapters(tiny_model.model.model, ["one", "two"], "dora", 4, 6.0)


def rewrite(path, target, change):
    """Copy the adapter at `path` to `target`, its tensors changed by `change`."""
    with safe_open(path, "pt") as file:
        settings = file.metadata()
    save_file(change(load_file(path)), target, settings)
    return target


def test_an_imported_adapter_of_any_kind_and_rank_gives_its_own_velocity(exported, ours, tiny_model, velocity):
    path, wanted = exported
    with use_adapter(ours, path):
        torch.testing.assert_close(velocity(tiny_model), wanted, rtol=1e-5, atol=1e-5)


def test_our_adapters_are_back_afterwards(exported, ours, tiny_model, velocity, perturb):
    perturb(ours, "one")
    ours.activate("one")
    before = velocity(tiny_model)
    with use_adapter(ours, exported[0]):
        pass
    assert torch.equal(velocity(tiny_model), before)
    with pytest.raises(RuntimeError, match="in the middle"), use_adapter(ours, exported[0]):
        raise RuntimeError("in the middle")
    assert torch.equal(velocity(tiny_model), before)


def test_layers_that_a_file_leaves_out_keep_their_weights(exported, ours, tmp_path, tiny_model, velocity, plain):
    path, wanted = exported
    with safe_open(path, "pt") as file:
        kept = [name for name in file.keys() if ".cross_attn." in name]  # noqa: SIM118
    part = rewrite(path, tmp_path / "part.safetensors", lambda state: {name: state[name] for name in kept})
    with use_adapter(ours, part):
        made = velocity(tiny_model)
    assert not torch.allclose(made, wanted, atol=1e-3)
    assert not torch.allclose(made, plain, atol=1e-4)


def test_an_adapter_of_another_model_is_refused_and_leaves_ours(exported, ours, tmp_path, tiny_model, velocity):
    before = velocity(tiny_model)
    other = rewrite(
        exported[0],
        tmp_path / "other.safetensors",
        lambda state: {name.replace("layers.0", "layers.7"): tensor for name, tensor in state.items()},
    )
    with pytest.raises(UserError, match="does not fit this model"), use_adapter(ours, other):
        pass
    assert torch.equal(velocity(tiny_model), before)


def test_every_file_of_the_folder_is_an_arm_by_its_name(tmp_path):
    assert files(tmp_path / "nowhere", set()) == {}
    for name in ("b.safetensors", "a.safetensors", "README.md"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "peft").mkdir()
    (tmp_path / "peft" / "adapter_config.json").touch()
    assert list(files(tmp_path, {"baseline"})) == ["a", "b", "peft"]
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "adapter_config.json").touch()
    with pytest.raises(UserError, match="has the name of an arm"):
        files(tmp_path, {"baseline"})


def test_a_file_with_the_name_of_an_arm_is_refused(tmp_path):
    (tmp_path / "b.safetensors").touch()
    with pytest.raises(UserError, match=r"b\.safetensors has the name of an arm or of a weighting"):
        files(tmp_path, {"b"})
