"""Stable Audio 3's adapter file: one safetensors file with the settings as JSON in its metadata.

    python -m eisbach.adapters.sa3_format export artifacts/finetune/0/barrier barrier.safetensors
    python -m eisbach.adapters.sa3_format import barrier.safetensors artifacts/finetune/0/theirs

    PEFT (`peft_format`)              Stable Audio 3                                             shape there
    X.lora_A.weight                   model.X.parametrizations.weight.0.lora_A                   [r, in]
    X.lora_B.weight                   model.X.parametrizations.weight.0.lora_B                   [out, r]
    X.lora_magnitude_vector           model.X.parametrizations.weight.0.magnitude                [out]

Tensors are written in fp32; Stability's own saver rounds to fp16. Supported types are "lora" and "dora-rows".
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eisbach.adapters import peft_format
from eisbach.adapters.peft_format import Adapter
from eisbach.errors import UserError
from eisbach.pipeline.files import replacing

DIT, PARAMETRIZATION = "model.", ".parametrizations.weight.0."
TO_SA3 = {peft_format.LORA_A: "lora_A", peft_format.LORA_B: "lora_B", peft_format.MAGNITUDE: "magnitude"}
TO_PEFT = {theirs: ours for ours, theirs in TO_SA3.items()}
CONVOLUTIONS = ("preprocess_conv", "postprocess_conv")  # the only ones in a Stable Audio DiT


def export_adapter(folder: str | Path, path: str | Path) -> None:
    """PEFT's `folder` -> Stable Audio 3's `path`. Raises UserError when the folder is not a LoRA or DoRA of a DiT."""
    write(path, peft_format.read(folder))


def import_adapter(path: str | Path, folder: str | Path) -> None:
    """Stable Audio 3's `path` -> PEFT's `folder`. Raises the UserErrors of `read`."""
    peft_format.write(folder, read(path))


def write(path: str | Path, adapter: Adapter) -> None:
    """Write `adapter` to the file `path`, in fp32."""
    tensors = {}
    for name, tensor in adapter.tensors.items():
        layer, part = peft_format.split(name, path)
        matrix = peft_format.from_peft_shape(tensor, part)
        tensors[f"{DIT}{layer}{PARAMETRIZATION}{TO_SA3[part]}"] = matrix.float().contiguous()
    settings = {
        "rank": adapter.rank,
        "alpha": adapter.alpha,
        "adapter_type": "dora-rows" if adapter.kind == "dora" else "lora",
        "dropout": adapter.dropout,
        "include": None,
        "exclude": None,
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"lora_config": json.dumps(settings)})


def read(path: str | Path) -> Adapter:
    """The adapter in the file `path`, in fp32; `dropout` is not read.

    An untrained adapter of the conditioner is left out. Raises UserError when the file is missing, has no settings or
    an unsupported type of adapter, holds an unknown tensor, or changes the conditioner, which stays frozen here.
    """
    stored, settings = _contents(Path(path))
    tensors = {}
    for name, tensor in stored.items():
        if name.endswith("lora_dropout_mask"):
            continue
        layer, part = _split(name, path)
        if layer.startswith(DIT):
            layer = layer.removeprefix(DIT)
            plain = tensor.float().flatten() if part == peft_format.MAGNITUDE else tensor.float()
            tensors[f"{layer}.{part}"] = peft_format.to_peft_shape(plain, part, convolution=layer in CONVOLUTIONS)
        elif part == peft_format.LORA_B and tensor.any():
            raise UserError(f"{path} changes the conditioner ('{layer}'), which stays frozen here; train without it")
    kind = "lora" if settings.get("adapter_type", "lora") == "lora" else "dora"
    rank = settings.get("rank") or next(len(tensor) for name, tensor in stored.items() if name.endswith("lora_A"))
    return Adapter(kind, rank, settings.get("alpha") or rank, tensors)


def _contents(path: Path) -> tuple[dict[str, Tensor], dict]:
    """All tensors of the file and its settings. Raises UserError when it is no adapter of a supported type."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            settings = json.loads((file.metadata() or {})["lora_config"])
        if not any(name.endswith("lora_A") for name in tensors):
            raise ValueError("no tensor is named lora_A")
    except FileNotFoundError:
        raise UserError(f"{path} is missing; name an adapter that Stability's trainer wrote") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise UserError(f"{path} is not a Stable Audio 3 adapter ({error}); export it again, as safetensors") from error
    magnitudes = [tensor for name, tensor in tensors.items() if name.endswith("magnitude")]
    by_columns = any(tensor.dim() == 2 and len(tensor) == 1 for tensor in magnitudes)
    kind = "dora-cols" if by_columns else settings.get("adapter_type", "lora")
    if kind not in ("lora", "dora-rows", "dora"):
        raise UserError(
            f"{path} has an adapter of type '{kind}'; supported are 'lora' and 'dora-rows', train one of these"
        )
    return tensors, settings


def _split(name: str, source: str | Path) -> tuple[str, str]:
    """Stability's name of a tensor -> the layer, with its prefix "model.", and PEFT's name of the part."""
    layer, _, part = name.replace(PARAMETRIZATION, ".").rpartition(".")
    if part not in TO_PEFT:
        raise UserError(f"{source} holds '{name}', which is no tensor of a LoRA or DoRA; choose another adapter")
    return layer, TO_PEFT[part]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command; `arguments` default to those of the process. Exits with status 2 for any other arguments."""
    parser = argparse.ArgumentParser(
        "python -m eisbach.adapters.sa3_format",
        description="Convert an adapter between PEFT's folder layout and Stable Audio 3's safetensors file.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="PEFT's folder -> Stable Audio 3's file")
    export.add_argument("folder", type=Path, help="for example artifacts/finetune/0/barrier")
    export.add_argument("file", type=Path, help="the safetensors file to write")
    back = commands.add_parser("import", help="Stable Audio 3's file -> PEFT's folder")
    back.add_argument("file", type=Path, help="a safetensors file that Stability's trainer or `export` wrote")
    back.add_argument("folder", type=Path, help="the folder to write")
    given = parser.parse_args(arguments)
    if given.command == "export":
        export_adapter(given.folder, given.file)
    else:
        import_adapter(given.file, given.folder)


if __name__ == "__main__":
    from eisbach.pipeline.command import run

    run(main)
