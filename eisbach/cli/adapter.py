"""Show, import, export or merge an adapter: PEFT's folder or Stable Audio 3's file."""

import argparse
import math
from pathlib import Path

SMALL_BASE = Path(__file__).parents[1] / "models" / "small_base"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="action")
    info = commands.add_parser("info", help="check an adapter and print what it is")
    info.add_argument("adapter", type=Path, help="a safetensors file in Stable Audio 3's format, or PEFT's folder")
    back = commands.add_parser("import", help="write PEFT's folder")
    back.add_argument("adapter", type=Path, help="a safetensors file in Stable Audio 3's format, or PEFT's folder")
    back.add_argument("folder", type=Path, help="the folder to write")
    export = commands.add_parser("export", help="write Stable Audio 3's file, which Stability's tools load")
    export.add_argument("adapter", type=Path, help="PEFT's folder, for example artifacts/finetune/0/barrier")
    export.add_argument("file", type=Path, help="the safetensors file to write")
    merge = commands.add_parser("merge", help="write a copy of a base model with adapters merged into its weights")
    merge.add_argument("adapter", nargs="+", help="a file or folder, with its strength after a colon unless it is 1")
    merge.add_argument("--base", type=Path, default=SMALL_BASE, help="a model folder; default: the shipped base")
    merge.add_argument("--output", type=Path, required=True, help="the model folder to write")


def run(arguments: argparse.Namespace) -> None:
    actions = {"info": _info, "import": _import, "export": _export, "merge": _merge}
    actions[arguments.action](arguments)


def _info(arguments: argparse.Namespace) -> None:
    from eisbach.adapters import sa3_format
    from eisbach.adapters.imported import read
    from eisbach.adapters.stored import CONDITIONER

    path = arguments.adapter
    adapter = read(path)
    layers = adapter.layers()
    conditioner = [layer for layer in layers if layer.startswith(CONDITIONER)]
    rows = {
        "format": "PEFT" if path.is_dir() else "Stable Audio 3",
        "type": "dora-rows" if adapter.kind == "dora" else adapter.kind,
        "rank": adapter.rank,
        "alpha": f"{adapter.alpha:g}" + (" (no effect on the direction)" if adapter.alpha == 0 else ""),
        "layers": f"{len(layers) - len(conditioner)} of the DiT, {len(conditioner)} of the conditioner",
        "parameters": f"{sum(tensor.numel() for tensor in adapter.tensors.values()):,}",
        "norm of the update": _norm(adapter),
    }
    if not path.is_dir():
        _, settings, facts = sa3_format.contents(path)
        rows |= {key: settings[key] for key in ("include", "exclude") if settings.get(key)} | facts
    for key, value in rows.items():
        print(f"{key:20} {value}")


def _norm(adapter) -> str:
    from eisbach.adapters.kinds import CORE, LORA_A, LORA_B

    total = 0.0
    for parts in adapter.layers().values():
        update = parts[CORE] if CORE in parts else parts[LORA_B].double() @ parts[LORA_A].double()
        total += update.double().square().sum().item() * (adapter.alpha / adapter.rank) ** 2
    return f"{math.sqrt(total):.4g}" + (" (untrained)" if total == 0 else "")


def _import(arguments: argparse.Namespace) -> None:
    from eisbach.adapters import peft_format
    from eisbach.adapters.imported import read

    peft_format.write(arguments.folder, read(arguments.adapter))
    print(arguments.folder)


def _export(arguments: argparse.Namespace) -> None:
    from eisbach.adapters import sa3_format
    from eisbach.adapters.imported import read

    sa3_format.write(arguments.file, read(arguments.adapter))
    print(arguments.file)


def _merge(arguments: argparse.Namespace) -> None:
    from eisbach.adapters.merging import merge

    norms = merge(arguments.base, [_strength(text) for text in arguments.adapter], arguments.output)
    print(f"{arguments.output}: {len(norms)} layers changed, the largest by {max(norms.values()):.2%} of its norm")


def _strength(text: str) -> tuple[Path, float]:
    """ "a.safetensors:0.7" -> the path and 0.7; without a number after the last colon the strength is 1."""
    path, _, number = text.rpartition(":")
    try:
        strength = float(number) if path else math.nan
    except ValueError:
        strength = math.nan
    return (Path(path), strength) if math.isfinite(strength) else (Path(text), 1.0)
