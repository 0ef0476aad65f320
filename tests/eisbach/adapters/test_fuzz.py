"""Damaged adapter files: each is refused in one sentence, or acts exactly as its tensors and settings say."""

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from eisbach.adapters.imported import applied, layers_of, read
from eisbach.adapters.kinds import TENSORS
from eisbach.cli import main
from eisbach.errors import UserError
from tests.eisbach.adapters.damaged import LAYERS, OUT, RANK, WIDTH, good, modules

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 5), st.floats(), st.text(max_size=4), st.lists(st.integers(), max_size=2)
)
CHANGES = st.one_of(
    st.tuples(st.just("settings"), st.sampled_from(["rank", "alpha", "adapter_type", "include", "exclude"]), VALUES),
    st.tuples(st.just("type"), st.sampled_from([*TENSORS, "dora-rows"])),
    st.tuples(st.just("whole settings"), VALUES),
    st.tuples(st.just("no settings")),
    st.tuples(st.just("drop"), st.integers(0, 11)),
    st.tuples(st.just("keep"), st.integers(0, 2)),
    st.tuples(
        st.just("prefix"),
        st.sampled_from(
            ["module.", "_orig_mod.", "diffusion_model.", "model.model.", "", "other.", "base_model.model."]
        ),
    ),
    st.tuples(st.just("rename"), st.integers(0, 11), st.text(st.sampled_from("ab.01_"), max_size=8)),
    st.tuples(st.just("index"), st.integers(0, 2)),
    st.tuples(
        st.just("dtype"),
        st.integers(0, 11),
        st.sampled_from([torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.int64, torch.bool]),
    ),
    st.tuples(st.just("shape"), st.integers(0, 11), st.lists(st.integers(0, 6), max_size=3)),
    st.tuples(st.just("value"), st.integers(0, 11), st.sampled_from([float("nan"), float("inf"), 0.0])),
    st.tuples(st.just("nothing")),
)


def changed(tensors, chosen, change):
    """The tensors and the settings after one change; settings may become any JSON value, or None for none at all."""
    kind, *given = change
    names = sorted(tensors)
    name = names[given[0] % len(names)] if given and isinstance(given[0], int) and names else None
    if kind == "settings":
        chosen = {**chosen, given[0]: given[1]} if isinstance(chosen, dict) else chosen
    elif kind == "type":
        chosen = {**chosen, "adapter_type": given[0]} if isinstance(chosen, dict) else chosen
    elif kind == "whole settings":
        chosen = given[0]
    elif kind == "no settings":
        chosen = ...
    elif kind == "drop" and name:
        tensors = {key: tensor for key, tensor in tensors.items() if key != name}
    elif kind == "keep":
        tensors = {key: tensor for key, tensor in tensors.items() if LAYERS[given[0]] in key}
    elif kind == "prefix":
        tensors = {given[0] + key.removeprefix("model."): tensor for key, tensor in tensors.items()}
    elif kind == "index":
        tensors = {key.replace(".weight.0.", f".weight.{given[0]}."): tensor for key, tensor in tensors.items()}
    elif name and kind in ("rename", "dtype", "shape", "value"):
        tensors = dict(tensors)
        if kind == "rename":
            tensors[given[1] or "x"] = tensors.pop(name)
        elif kind == "dtype":
            tensors[name] = tensors[name].to(given[1])
        elif kind == "shape":
            tensors[name] = torch.ones(given[1])
        else:
            tensors[name] = (
                torch.full_like(tensors[name], given[1]) if tensors[name].is_floating_point() else tensors[name]
            )
    return tensors, chosen


def oracle(weight, tensors, chosen, layer):
    """The weight that Stability's parametrisation makes of `weight`, given the tensors of one layer."""
    from stable_audio_tools.models.lora import LoRAParametrization

    rank = chosen.get("rank", RANK)
    kind = chosen.get("adapter_type", "lora")
    made = LoRAParametrization(
        WIDTH, OUT, rank=rank, lora_alpha=chosen.get("alpha", rank), adapter_type=kind, W0=weight
    )
    for key, tensor in tensors.items():
        if layer in key:
            getattr(made, key.rpartition(".")[2]).data.copy_(
                tensor.float().view_as(getattr(made, key.rpartition(".")[2]))
            )
    return made(weight).detach()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "adapter.safetensors"


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(list(TENSORS)), seed=st.integers(0, 9), changes=st.lists(CHANGES, min_size=1, max_size=3))
def test_a_file_is_refused_in_one_sentence_or_has_its_whole_effect(path, kind, seed, changes):
    tensors, chosen = good(kind, seed)
    for change in changes:
        tensors, chosen = changed(tensors, chosen, change)
    save_file(tensors, path, {"other": ""} if chosen is ... else {"lora_config": json.dumps(chosen)})
    whole = modules()
    try:
        adapter = read(path)
        layers = layers_of(adapter, whole, path)
    except UserError as refusal:
        text = str(refusal)
        assert path.name in text
        assert "\n" not in text
        assert any(change != ("nothing",) for change in changes)
        return
    assert len(adapter.tensors) == len(tensors)  # none was left out
    before = {name: layer.weight.clone() for name, layer in layers.items()}
    with applied(adapter, layers):
        for name, layer in layers.items():
            wanted = oracle(before[name], tensors, chosen, name)
            torch.testing.assert_close(layer.weight, wanted, rtol=1e-4, atol=1e-4)
    adapted = {layer for layer in LAYERS if any(layer in key for key in tensors)}
    assert layers.keys() == adapted


@settings(deadline=None, max_examples=30)
@given(data=st.binary(max_size=80))
def test_bytes_that_are_no_safetensors_file_are_refused(path, data):
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"adapter\.safetensors is not a Stable Audio 3 adapter"):
        read(path)


PEFT_VALUES = st.one_of(VALUES, st.dictionaries(st.text(max_size=3), st.integers(-1, 3), max_size=2))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A good PEFT folder, as settings and tensors to be damaged."""
    from eisbach.adapters import peft_format
    from eisbach.adapters.stored import Adapter

    tensors = {}
    for layer in LAYERS[:2]:
        tensors |= {f"{layer}.lora_A.weight": torch.ones(RANK, WIDTH), f"{layer}.lora_B.weight": torch.ones(OUT, RANK)}
    folder = tmp_path_factory.mktemp("fuzz") / "peft"
    peft_format.write(folder, Adapter("lora", RANK, 3.0, tensors))
    config = json.loads((folder / "adapter_config.json").read_text())
    return folder, config, load_file(folder / "adapter_model.safetensors")


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_peft_settings_are_converted_or_refused_in_one_sentence(written, data):
    folder, config, tensors = written
    key = data.draw(st.sampled_from(sorted({*config, "use_something_new"})))
    value = data.draw(PEFT_VALUES)
    (folder / "adapter_config.json").write_text(json.dumps({**config, key: value}))
    save_file(tensors, folder / "adapter_model.safetensors")
    try:
        adapter = read(folder)
    except UserError as error:
        refusal = str(error)
        assert "adapter_" in refusal
        assert "\n" not in refusal
        return
    layers = layers_of(adapter, modules(), folder)
    assert layers.keys() == set(LAYERS[:2])


@pytest.mark.parametrize("whole", ["[]", "null", '"text"', "{", "{}"])
def test_a_peft_config_that_is_no_object_of_settings_is_refused(written, whole):
    folder = written[0]
    (folder / "adapter_config.json").write_text(whole)
    with pytest.raises(UserError, match=r"adapter_config\.json"):
        read(folder)


def test_the_command_prints_a_refusal_as_one_sentence(tmp_path, capsys):
    (tmp_path / "a.safetensors").write_bytes(b"no")
    with pytest.raises(SystemExit) as refusal:
        main(["adapter", "info", str(tmp_path / "a.safetensors")])
    assert str(refusal.value).startswith("error: ")
    assert "\n" not in str(refusal.value)
