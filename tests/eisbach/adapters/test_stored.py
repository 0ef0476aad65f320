"""What a stored adapter must consist of; each refusal names the file, the tensor or setting, and the cure."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from eisbach.adapters import peft_format, sa3_format
from eisbach.adapters.imported import applied, layers_of, read
from eisbach.adapters.stored import Adapter, layer_name
from eisbach.errors import UserError
from tests.eisbach.adapters.damaged import LAYERS, OUT, RANK, WIDTH, good, modules

A = "model.transformer.project_in.parametrizations.weight.0.lora_A"
B = A.replace("lora_A", "lora_B")


@pytest.fixture
def saved(tmp_path):
    """saved(kind, change): the path of a file whose tensors and settings `change` has changed in place."""

    def write(kind, change):
        tensors, settings = good(kind, 0)
        settings = change(tensors, settings) or settings
        save_file(tensors, tmp_path / "x.safetensors", {"lora_config": json.dumps(settings)})
        return tmp_path / "x.safetensors"

    return write


def put(name, value):
    return lambda tensors, settings: tensors.__setitem__(name, value)


def setting(key, value):
    return lambda tensors, settings: settings.__setitem__(key, value)


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("lora", put(A, torch.full((RANK, WIDTH), torch.nan)), r"project_in\.lora_A\.weight' in .*NaN or infinite"),
        ("lora", put(B, torch.full((OUT, RANK), torch.inf)), r"project_in\.lora_B\.weight' in .* has NaN"),
        ("lora", put(A, torch.ones(RANK, WIDTH, dtype=torch.int32)), "is int32; export the adapter again as float32"),
        ("lora", lambda tensors, _: tensors.__delitem__(B), r"'transformer\.project_in' in .* has no lora_B\.weight"),
        ("dora", setting("adapter_type", "lora"), r"lora_magnitude_vector' in .* is no part of .* 'lora'"),
        ("dora", setting("rank", 3), r"lora_A\.weight' in .* has shape \(2, 6\), not \(3, 6\), at rank 3"),
        ("lora", put(A, torch.ones(3, WIDTH)), r"has shape \(3, 6\), not \(2, 6\), at rank 2 "),
        ("lora", setting("rank", None), "has 'rank' None, not a positive integer"),
        ("lora", setting("alpha", "16"), "has 'alpha' '16', not a finite number"),
        ("lora", lambda *_: [1], r"settings 'lora_config' .* are \[1\], not an object"),
        ("lora", lambda *_: "rank 16", "are 'rank 16', not an object"),
        ("lora", setting("exclude", "seconds_total"), "'exclude' .* is 'seconds_total', not a list of names"),
        ("lora", setting("exclude", ["seconds_total"]), r"has tensors for 'conditioners\..* leave out"),
        ("lora", setting("include", ["project_in"]), r"has tensors for '.*which its settings leave out"),
        ("lora", lambda tensors, _: tensors.clear(), "no tensor is named lora_A or M_xs"),
        ("lora", put("strange.parametrizations.weight.0.lora_A", torch.ones(1)), "'strange', which is in no part"),
        ("lora", put(A.replace("t.0.", "t.1."), torch.ones(1)), r"weight\.1\.lora_A', which is no tensor of a LoRA"),
        ("lora", put("model." + A, torch.ones(RANK, WIDTH)), "twice, under two prefixes"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_the_tensor_and_the_cure(saved, kind, change, said):
    path = saved(kind, change)
    with pytest.raises(UserError, match=said) as refusal:
        read(path)
    assert "x.safetensors" in str(refusal.value)
    assert ";" in str(refusal.value)  # what to do


def test_alpha_zero_means_no_effect_and_is_kept(saved, tmp_path):
    path = saved("lora", setting("alpha", 0))
    whole, adapter = modules(), read(path)
    layers = layers_of(adapter, whole, path)
    before = {name: layer.weight.clone() for name, layer in layers.items()}
    with applied(adapter, layers):
        assert all(torch.equal(layer.weight, before[name]) for name, layer in layers.items())
    sa3_format.write(tmp_path / "again.safetensors", adapter)
    assert read(tmp_path / "again.safetensors").alpha == 0


def test_missing_settings_have_stability_s_defaults(saved):
    adapter = read(saved("lora", lambda *_: {"include": None}))
    assert (adapter.kind, adapter.rank, adapter.alpha) == ("lora", RANK, RANK)


@pytest.mark.parametrize(
    "prefix", ["model.", "model.model.", "module.model.", "_orig_mod.", "diffusion_model.", "module.", ""]
)
def test_the_prefixes_of_other_tools_are_removed(prefix):
    assert layer_name(f"{prefix}transformer.layers.0.ff.ff.2", "x") == "transformer.layers.0.ff.ff.2"
    assert layer_name(f"{prefix}transformer.layers.0._orig_mod.ff.ff.2", "x") == "transformer.layers.0.ff.ff.2"
    assert layer_name(f"{prefix}conditioner.conditioners.a", "x") == "conditioners.a"


@pytest.mark.parametrize("name", ["unet.x", "lora_unet_transformer", "model.unet.x", "transformers.x", ""])
def test_an_unknown_prefix_is_never_called_the_conditioner(name):
    with pytest.raises(UserError, match=f"'{name}', which is in no part of a Stable Audio 3 model") as refusal:
        layer_name(name, "x")
    assert "conditioner" not in str(refusal.value)


def test_a_layer_of_another_model_is_refused_by_name(saved):
    path = saved("lora", put(A, torch.ones(RANK, WIDTH + 1)))
    with pytest.raises(
        UserError, match=r"in layer 'transformer\.project_in', 'lora_A\.weight' is \(2, 7\), not \(2, 6\)"
    ):
        layers_of(read(path), modules(), path)


@pytest.fixture
def trained(tmp_path):
    """trained(**settings): a folder of PEFT's own, and the weights of a module to which PEFT has given it."""

    def train(**changes):
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(0)
        dit = modules()[""]
        plain = {name: dit.get_submodule(name).weight.clone() for name in LAYERS[:2]}
        wrapped = get_peft_model(dit, LoraConfig(**{"r": 2, "lora_alpha": 3, "target_modules": LAYERS[:2], **changes}))
        for name, parameter in wrapped.named_parameters():
            if "lora_" in name:
                parameter.data.add_(0.3 * torch.randn_like(parameter))
        wrapped.save_pretrained(tmp_path / "peft")
        merged = wrapped.merge_and_unload()
        return tmp_path / "peft", plain, {name: merged.get_submodule(name).weight for name in LAYERS[:2]}

    return train


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"use_dora": True},
        {"use_rslora": True},
        {"rank_pattern": {"project_in": 3}},
        {"rank_pattern": {"project_in": 1}, "use_dora": True},
        {"alpha_pattern": {"transformer.project_out": 7}},
        {"rank_pattern": {"project_in": 4}, "alpha_pattern": {"project_in": 5}, "use_rslora": True},
        {"alpha_pattern": {"project_in": 0}},
    ],
)
def test_what_peft_writes_acts_as_peft_s_also_after_an_export(tmp_path, trained, changes):
    folder, plain, wanted = trained(**changes)
    sa3_format.export_adapter(folder, tmp_path / "exported.safetensors")
    for path in (folder, tmp_path / "exported.safetensors"):
        whole, adapter = modules(), read(path)
        layers = layers_of(adapter, whole, path)
        with applied(adapter, layers):
            for name, weight in wanted.items():
                torch.testing.assert_close(layers[name].weight, weight, rtol=1e-5, atol=1e-6)
                assert (
                    not torch.allclose(weight, plain[name], atol=1e-3) or 0 in changes.get("alpha_pattern", {}).values()
                )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lora_bias": True}, "sets 'lora_bias' to True, which has no equal here"),
        ({"modules_to_save": [LAYERS[1]], "target_modules": [LAYERS[0]]}, "'modules_to_save'"),
        ({"bias": "all"}, "sets 'bias' to 'all'"),
        ({"init_lora_weights": "pissa"}, "'init_lora_weights' to 'pissa', which changes the base"),
    ],
)  # fmt: skip
def test_what_peft_can_and_we_cannot_is_refused_by_name(trained, changes, said):
    folder = trained(**changes)[0]
    with pytest.raises(UserError, match=said):
        peft_format.read(folder)


def test_peft_s_names_in_the_whole_model_are_understood(tmp_path):
    tensors, _ = good("lora", 0)
    plain = {}
    for name, tensor in tensors.items():
        layer, _, part = name.removeprefix("model.").replace(".parametrizations.weight.0.", ".").rpartition(".")
        plain[f"{layer}.{part}.weight"] = tensor
    peft_format.write(tmp_path / "a", Adapter("lora", RANK, 3.0, plain))
    assert (tmp_path / "a" / "conditioner" / "adapter_config.json").is_file()
    whole = {
        f"base_model.model.{'conditioner' if name.startswith('conditioners') else 'model.model'}.{name}": tensor
        for name, tensor in plain.items()
    }
    (tmp_path / "b").mkdir()
    save_file(whole, tmp_path / "b" / "adapter_model.safetensors")
    (tmp_path / "b" / "adapter_config.json").write_bytes((tmp_path / "a" / "adapter_config.json").read_bytes())
    one, other = read(tmp_path / "a"), read(tmp_path / "b")
    assert one.tensors.keys() == other.tensors.keys() == plain.keys()
    assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in plain)
    assert all(name.startswith("base_model.model.") for name in load_file(tmp_path / "a" / "adapter_model.safetensors"))
