import pytest
import torch

from eisbach.adapters.imported import files, worn
from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.sa3_format import export_adapter
from eisbach.errors import UserError
from eisbach.models.velocity import predict


def velocity(model, archive):
    clips = archive.rows(torch.arange(3))
    with torch.no_grad():
        return predict(model, clips.latents, torch.full((3,), 0.5), clips)


@pytest.fixture
def exported(tmp_path, tiny_model, tiny_archive):
    """A file with an adapter of another kind and rank than ours, and the velocity that it gives."""
    theirs = PairedAdapters(tiny_model.model.model, ["a"], "lora", 3, 5.0)
    with torch.no_grad():
        for parameter in theirs.parameters("a").values():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7)))
    theirs.save("a", tmp_path / "adapter")
    export_adapter(tmp_path / "adapter", tmp_path / "theirs.safetensors")
    wanted = velocity(tiny_model, tiny_archive)
    for name, layer in theirs.layers.items():
        theirs.dit.set_submodule(name, layer.base_layer)
    return tmp_path / "theirs.safetensors", wanted


def test_a_foreign_adapter_is_worn_whatever_its_kind_and_rank_and_taken_off(exported, tiny_model, tiny_archive):
    path, wanted = exported
    plain = velocity(tiny_model, tiny_archive)
    ours = PairedAdapters(tiny_model.model.model, ["one", "two"], "dora", 4, 6.0)
    with worn(ours, path):
        torch.testing.assert_close(velocity(tiny_model, tiny_archive), wanted, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(wanted, plain, atol=1e-2)
    ours.activate("one")
    torch.testing.assert_close(velocity(tiny_model, tiny_archive), plain, rtol=1e-5, atol=1e-5)
    with pytest.raises(RuntimeError, match="in the middle"), worn(ours, path):
        raise RuntimeError("in the middle")
    torch.testing.assert_close(velocity(tiny_model, tiny_archive), plain, rtol=1e-5, atol=1e-5)


def test_layers_that_a_file_leaves_out_stay_as_they_are(exported, tmp_path, tiny_model, tiny_archive):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    path, wanted = exported
    with safe_open(path, "pt") as file:
        facts = file.metadata()
    kept = {name: tensor for name, tensor in load_file(path).items() if ".cross_attn." in name}
    save_file(kept, tmp_path / "part.safetensors", facts)
    plain = velocity(tiny_model, tiny_archive)
    ours = PairedAdapters(tiny_model.model.model, ["one"], "dora", 4, 6.0)
    with worn(ours, tmp_path / "part.safetensors"):
        part = velocity(tiny_model, tiny_archive)
    assert not torch.allclose(part, wanted, atol=1e-3)
    assert not torch.allclose(part, plain, atol=1e-4)


def test_an_adapter_of_another_model_is_refused_and_leaves_ours(exported, tmp_path, tiny_model, tiny_archive):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    path, _ = exported
    with safe_open(path, "pt") as file:
        facts = file.metadata()
    state = {name.replace("layers.0", "layers.7"): tensor for name, tensor in load_file(path).items()}
    save_file(state, tmp_path / "other.safetensors", facts)
    plain = velocity(tiny_model, tiny_archive)
    ours = PairedAdapters(tiny_model.model.model, ["one"], "dora", 4, 6.0)
    with pytest.raises(UserError, match="does not fit this model"), worn(ours, tmp_path / "other.safetensors"):
        pass
    ours.activate("one")
    torch.testing.assert_close(velocity(tiny_model, tiny_archive), plain, rtol=1e-5, atol=1e-5)


def test_every_file_of_the_folder_is_an_arm_by_its_name(tmp_path):
    assert files(tmp_path / "nowhere", set()) == {}
    for name in ("b.safetensors", "a.safetensors", "README.md"):
        (tmp_path / name).touch()
    assert list(files(tmp_path, {"baseline"})) == ["a", "b"]
    with pytest.raises(UserError, match=r"b\.safetensors has the name of an arm or of a weighting"):
        files(tmp_path, {"b"})
