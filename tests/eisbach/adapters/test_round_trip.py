"""Every saver with every loader: Stability's, PEFT's and ours. docs/sa3.md holds the table that this test makes."""

import copy
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from stable_audio_tools.models.lora import load_and_apply_loras

from eisbach.adapters import peft_format, sa3_format
from eisbach.adapters.imported import use_adapter
from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.stored import CONDITIONER, Adapter, split
from tests.eisbach.adapters import stability

SAVERS, LOADERS = ("Stability", "PEFT", "ours"), ("Stability", "PEFT", "ours")
CASES = [(kind, conditioner) for kind in ("lora", "dora") for conditioner in (False, True)]
FP32, FP16 = 1e-5, 5e-3  # of the velocity, whose values are of the order of 1
DOCS = Path(__file__).parents[3] / "docs" / "sa3.md"
HEADER = [
    "| saved by | loaded by | LoRA | LoRA, conditioner | DoRA | DoRA, conditioner | saved in fp16 |",
    "| --- | --- | --- | --- | --- | --- | --- |",
]


def paired(model, kind, conditioner):
    return PairedAdapters(
        model.model.model, ["a"], kind, 4, 6.0, conditioner=model.conditioner, train_conditioner=conditioner
    )


def save_with_stability(model, adapter, path):
    kind = "dora-rows" if adapter.kind == "dora" else "lora"
    exclude = None if adapter.has_conditioner() else ["seconds_total"]
    stability.add(model, kind, exclude=exclude)
    states = stability.state(model)
    for layer, parts in adapter.layers().items():
        prefix = "" if layer.startswith(CONDITIONER) else "model."
        for part, tensor in parts.items():
            name = f"{prefix}{layer}.parametrizations.weight.0.{sa3_format.TO_SA3[part]}"
            states[name].copy_(tensor)
    return stability.save(model, path / "theirs.safetensors", kind, exclude=exclude)


def save_with_peft(model, adapter, path, half=False):
    for module, folder, own in (
        (model.model.model, path / "peft", False),
        (model.conditioner, path / "peft" / "conditioner", True),
    ):
        layers = [name for name in adapter.layers() if name.startswith(CONDITIONER) == own]
        if not layers:
            continue
        config = LoraConfig(r=4, lora_alpha=6, use_dora=adapter.kind == "dora", target_modules=layers)
        wrapped = get_peft_model(module, config)
        for name, tensor in adapter.tensors.items():
            layer, part = split(name, "")
            if layer in layers:
                holder = wrapped.base_model.model.get_submodule(f"{layer}.{part.removesuffix('.weight')}")["default"]
                holder.weight.data.copy_(tensor)
                if half:
                    holder.half()
        wrapped.save_pretrained(folder)
    return path / "peft"


def save_with_us(model, adapter, path):
    peft_format.write(path / "ours", adapter)
    return path / "ours"


def load_with_stability(model, saved, path):
    if saved.is_dir():
        sa3_format.export_adapter(saved, path / "exported.safetensors")
        saved = path / "exported.safetensors"
    load_and_apply_loras(model, [saved], "diffusion_cond_inpaint")


def load_with_peft(model, saved, path):
    if not saved.is_dir():
        sa3_format.import_adapter(saved, path / "imported")
        saved = path / "imported"
    PeftModel.from_pretrained(model.model.model, saved)
    if (saved / "conditioner").is_dir():
        PeftModel.from_pretrained(model.conditioner, saved / "conditioner")


def error(model, saver, loader, adapter, wanted, velocity, path, half):
    """The largest difference of the velocity after saving and loading `adapter` from `wanted`."""
    path.mkdir()
    author, user = copy.deepcopy(model), copy.deepcopy(model)
    with torch.no_grad():
        if saver == "Stability":
            saved = save_with_stability(author, adapter, path)
        elif saver == "PEFT":
            saved = save_with_peft(author, adapter, path, half)
        else:
            saved = save_with_us(author, adapter, path)
    if loader == "ours":
        adapters = PairedAdapters(user.model.model, ["b"], "lora", 2, 2.0, conditioner=user.conditioner)
        with use_adapter(adapters, saved):
            made = velocity(user)
    else:
        {"Stability": load_with_stability, "PEFT": load_with_peft}[loader](user, saved, path)
        made = velocity(user)
    return (made - wanted).abs().max().item()


@pytest.fixture
def errors(tmp_path, tiny_model, velocity, perturb):
    """(saver, loader, kind, conditioner, half) -> error. In full precision the tensors are exact in fp16."""
    found = {}
    for kind, conditioner in CASES:
        model = copy.deepcopy(tiny_model)
        untouched = velocity(model)
        adapters = paired(model, kind, conditioner)
        for half in (True, False):
            if half:
                perturb(adapters, "a")
            else:
                for parameter in adapters.parameters("a").values():
                    parameter.data.copy_(parameter.data.half())
            wanted = velocity(model)
            assert not torch.allclose(untouched, wanted, atol=1e-2)
            adapter: Adapter = adapters.adapter("a")
            for saver in SAVERS:
                for loader in LOADERS:
                    key = (saver, loader, kind, conditioner, half)
                    folder = tmp_path / "-".join(map(str, key))
                    with torch.no_grad():
                        found[key] = error(tiny_model, saver, loader, adapter, wanted, velocity, folder, half)
    return found


def test_every_saver_with_every_loader_gives_the_same_velocity(errors):
    lines = list(HEADER)
    for saver in SAVERS:
        for loader in LOADERS:
            cells = [errors[(saver, loader, *case, False)] for case in CASES]
            assert max(cells) < FP32, (saver, loader, cells)
            rounded = max(errors[(saver, loader, *case, True)] for case in CASES)
            assert rounded < (FP32 if saver == "ours" else FP16), (saver, loader, rounded)
            last = "writes fp32" if saver == "ours" else "< 0.005"
            lines.append(f"| {saver} | {loader} | {' | '.join(['< 1e-5'] * len(cells))} | {last} |")
    assert "\n".join(lines) in DOCS.read_text(), "docs/sa3.md lacks this table:\n" + "\n".join(lines)
    assert max(errors[saver, "ours", "dora", True, True] for saver in ("Stability", "PEFT")) > FP32  # fp16 does round
