"""Adapters between PEFT's layout, ours, and Stable Audio 3's own: one safetensors file with its settings inside.

    python -m eisbach.adapters.sa3_format export artifacts/finetune/0/barrier barrier.safetensors
    python -m eisbach.adapters.sa3_format import barrier.safetensors artifacts/finetune/0/theirs

    PEFT                              Stable Audio 3                                             shape there
    X.lora_A.weight                   model.X.parametrizations.weight.0.lora_A                   [r, in]
    X.lora_B.weight                   model.X.parametrizations.weight.0.lora_B                   [out, r]
    X.lora_magnitude_vector           model.X.parametrizations.weight.0.magnitude                [out]

Tensors are written in fp32 (Stability's own saver rounds to fp16). Known are "lora" and "dora-rows".
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from peft import LoraConfig
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from eisbach.errors import UserError
from eisbach.files import replacing

MIDDLE = ".parametrizations.weight.0."
NAMES = {"lora_A.weight": "lora_A", "lora_B.weight": "lora_B", "lora_magnitude_vector": "magnitude"}
CONVOLUTIONS = ("preprocess_conv", "postprocess_conv")  # a DiT's only ones; PEFT keeps the axis of their kernel


def export_adapter(folder: str | Path, path: str | Path) -> None:
    """PEFT's `folder` -> Stable Audio 3's `path`. Raises UserError when the folder is not a LoRA or DoRA of a DiT."""
    folder = Path(folder)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is missing; give a folder that `dvc repro finetune` or PEFT wrote")
    settings = json.loads((folder / "adapter_config.json").read_text())
    tensors = {}
    for name, tensor in load_file(folder / "adapter_model.safetensors").items():
        layer, kind = _split(name, NAMES, folder)
        flat = tensor.flatten() if kind == "lora_magnitude_vector" else tensor.flatten(1)
        tensors[f"model.{layer}{MIDDLE}{NAMES[kind]}"] = flat.float().contiguous()
    facts = {
        "rank": settings["r"],
        "alpha": settings["lora_alpha"],
        "adapter_type": "dora-rows" if settings["use_dora"] else "lora",
        "dropout": settings["lora_dropout"],
        "include": None,
        "exclude": None,
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"lora_config": json.dumps(facts)})


@dataclass(frozen=True)
class Stored:
    """An adapter of a file: `kind` "lora" or "dora", its tensors by PEFT's names and in PEFT's shapes, fp32."""

    kind: str
    rank: int
    alpha: float
    tensors: dict[str, Tensor]


def import_adapter(path: str | Path, folder: str | Path) -> None:
    """Stable Audio 3's `path` -> PEFT's `folder`. Raises UserError as `read` does."""
    stored = read(path)
    layers = sorted({_split(name, NAMES, path)[0] for name in stored.tensors})
    config = LoraConfig(
        r=stored.rank,
        lora_alpha=stored.alpha,
        use_dora=stored.kind == "dora",
        target_modules=layers,
        lora_dropout=0.0,
        inference_mode=True,
    )
    config.target_modules = layers  # a set otherwise, in any order
    with replacing(folder) as temporary:
        temporary.mkdir()
        config.save_pretrained(temporary)
        save_file(stored.tensors, temporary / "adapter_model.safetensors", metadata={"format": "pt"})


def read(path: str | Path) -> Stored:
    """The adapter in a file of Stable Audio 3's format.

    Raises UserError for another kind of adapter, for a file without settings, and for one that also changes the
    conditioner, which no arm here does (an untrained adapter of the conditioner is left out).
    """
    stored, settings = _read(Path(path))
    names, tensors = {theirs: ours for ours, theirs in NAMES.items()}, {}
    for name, tensor in stored.items():
        if name.endswith("lora_dropout_mask"):
            continue
        layer, kind = _split(name.replace(MIDDLE, "."), names, path)
        if not layer.startswith("model."):
            if kind == "lora_B" and tensor.any():
                raise UserError(
                    f"{path} changes the conditioner ('{layer}'), which stays frozen here; train without it"
                )
            continue
        layer = layer.removeprefix("model.")
        tensors[f"{layer}.{names[kind]}"] = _peft_shape(tensor.float(), layer, kind)
    kind = "lora" if settings["adapter_type"] == "lora" else "dora"
    return Stored(kind, settings["rank"], settings.get("alpha") or settings["rank"], tensors)


def _read(path: Path) -> tuple[dict[str, Tensor], dict]:
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            settings = json.loads((file.metadata() or {})["lora_config"])
    except FileNotFoundError:
        raise UserError(f"{path} is missing; give an adapter that Stability's trainer wrote") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise UserError(f"{path} is not a Stable Audio 3 adapter ({error}); export it again, as safetensors") from error
    kind = settings.get("adapter_type", "lora")
    columns = any(
        name.endswith("magnitude") and tensor.dim() == 2 and len(tensor) == 1 for name, tensor in tensors.items()
    )
    if kind not in ("lora", "dora-rows", "dora") or columns:
        raise UserError(
            f"{path} holds a '{'dora-cols' if columns else kind}' adapter; known are 'lora' and 'dora-rows'"
        )
    return tensors, {
        "rank": next(len(t) for n, t in tensors.items() if n.endswith("lora_A")),
        **settings,
        "adapter_type": kind,
    }


def _peft_shape(tensor: Tensor, layer: str, kind: str) -> Tensor:
    if kind == "magnitude":
        tensor = tensor.flatten()
        return tensor.view(1, -1, 1) if layer in CONVOLUTIONS else tensor
    return tensor.unsqueeze(-1) if layer in CONVOLUTIONS else tensor


def _split(name: str, kinds: dict[str, str], source: str | Path) -> tuple[str, str]:
    """ "a.b.lora_A.weight" -> ("a.b", "lora_A.weight")."""
    for kind in kinds:
        if name.endswith(f".{kind}"):
            return name.removesuffix(f".{kind}"), kind
    raise UserError(f"{source} holds '{name}', which is no part of a LoRA or DoRA; give such an adapter")


def main() -> None:
    match sys.argv[1:]:
        case ["export", folder, path]:
            export_adapter(folder, path)
        case ["import", path, folder]:
            import_adapter(path, folder)
        case _:
            raise UserError("give `export FOLDER FILE` or `import FILE FOLDER`")


if __name__ == "__main__":
    from eisbach.pipeline.command import run

    run(main)
