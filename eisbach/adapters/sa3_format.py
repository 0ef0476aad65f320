"""Stable Audio 3's adapter file: one safetensors file with the settings as JSON in its metadata.

    eisbach adapter export artifacts/finetune/0/barrier barrier.safetensors
    eisbach adapter import barrier.safetensors artifacts/finetune/0/theirs

    PEFT (`peft_format`)              Stable Audio 3                                             shape there
    X.lora_A.weight                   model.X.parametrizations.weight.0.lora_A                   [r, in]
    X.lora_B.weight                   model.X.parametrizations.weight.0.lora_B                   [out, r]
    X.lora_magnitude_vector           model.X.parametrizations.weight.0.magnitude                [out]

A layer of the conditioner keeps its name there ("conditioners.seconds_total..."), without "model.". Tensors are written
in fp32; Stability's own saver rounds to fp16. All types are read (`kinds`); PEFT has "lora" and "dora-rows" only.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eisbach.adapters import peft_config, peft_format, stored
from eisbach.adapters.kinds import COLUMNS, CORE, LEFT, LORA_A, LORA_B, MAGNITUDE, RIGHT, ROWS, TENSORS
from eisbach.adapters.stored import CONDITIONER, Adapter
from eisbach.errors import UserError
from eisbach.pipeline.files import replacing

DIT, PARAMETRIZATION = "model.", ".parametrizations.weight.0."
TO_SA3 = {LORA_A: "lora_A", LORA_B: "lora_B", MAGNITUDE: "magnitude"}
TO_SA3 |= {part: part for part in (CORE, ROWS, COLUMNS, LEFT, RIGHT)}
FROM_SA3 = {theirs: ours for ours, theirs in TO_SA3.items()}
CONVOLUTIONS = ("preprocess_conv", "postprocess_conv")  # the only ones in a Stable Audio DiT
UNTRAINED = "seconds_total"  # Stability's trainer adapts this conditioner unless it is in "exclude"


def export_adapter(folder: str | Path, path: str | Path) -> None:
    """PEFT's `folder` -> Stable Audio 3's `path`. Raises UserError when the folder is not a LoRA or DoRA of a DiT."""
    write(path, peft_format.read(folder))


def import_adapter(path: str | Path, folder: str | Path) -> None:
    """Stable Audio 3's `path` -> PEFT's `folder`. Raises the UserErrors of `read` and `peft_format.write`."""
    peft_format.write(folder, read(path))


def write(path: str | Path, adapter: Adapter, facts: Mapping[str, str] | None = None) -> None:
    """Write `adapter` to the file `path`, in fp32, with `facts` as further metadata (Stability's loader ignores them).

    Without a layer of the conditioner, the settings exclude it, so that Stability's loader does not adapt it either.
    """
    tensors = {}
    for layer, parts in adapter.layers().items():
        prefix = "" if layer.startswith(CONDITIONER) else DIT
        for part, tensor in parts.items():
            tensors[f"{prefix}{layer}{PARAMETRIZATION}{TO_SA3[part]}"] = tensor.float().contiguous()
    settings = {
        "rank": adapter.rank,
        "alpha": adapter.alpha,
        "adapter_type": "dora-rows" if adapter.kind == "dora" else adapter.kind,
        "dropout": adapter.dropout,
        "include": None,
        "exclude": None if adapter.has_conditioner() else [UNTRAINED],
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"lora_config": json.dumps(settings), **(facts or {})})


def read(path: str | Path) -> Adapter:
    """The adapter in the file `path`, in fp32; `dropout` is not read.

    Raises UserError when the file is missing, has no usable settings, or a tensor does not fit (`stored.check`).
    """
    named, settings, _ = contents(path)
    tensors: dict[str, Tensor] = {}
    kind = _kind(settings, {name: tensor for name, tensor in named.items() if name.endswith("magnitude")}, path)
    for name, tensor in named.items():
        if name.endswith("lora_dropout_mask"):
            continue
        layer, part = _split(name, path)
        if (key := f"{layer}.{part}") in tensors:
            raise UserError(f"{path} holds '{key}' twice, under two prefixes; keep one of them")
        tensors[key] = _plain(tensor, part, kind, name, path)
    if not tensors:
        raise UserError(f"{path} is not a Stable Audio 3 adapter (no tensor is named lora_A or M_xs); export it again")
    ranks = [tensor.shape[0] for name, tensor in tensors.items() if name.endswith((LORA_A, CORE)) and tensor.dim()]
    rank = settings.get("rank", ranks[0] if ranks else 0)
    peft_config.check_rank(rank, "rank", path)
    alpha = settings.get("alpha", rank)
    peft_config.check_alpha(alpha, "alpha", path)
    adapter = stored.check(Adapter(kind, rank, alpha, tensors), path)
    _check_filters(adapter, settings, path)
    shaped = {
        name: peft_format.to_peft_shape(tensor.float(), part, convolution=layer in CONVOLUTIONS)
        if part in (LORA_A, LORA_B, MAGNITUDE)
        else tensor.float()
        for name, tensor in tensors.items()
        for layer, part in [stored.split(name, path)]
    }
    return Adapter(kind, rank, alpha, shaped)


def contents(path: str | Path) -> tuple[dict[str, Tensor], dict, dict[str, str]]:
    """All tensors of the file, its settings, and its other metadata. Raises UserError when it is no adapter's file."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = dict(file.metadata() or {})
            settings = json.loads(facts.pop("lora_config"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; name an adapter that Stability's trainer wrote") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; name a file that Stability's trainer wrote") from None
    except KeyError:
        raise UserError(
            f"{path} is not a Stable Audio 3 adapter (no settings 'lora_config' in its metadata); export it again"
        ) from None
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a Stable Audio 3 adapter ({error}); export it again, as safetensors") from error
    if not isinstance(settings, dict):
        raise UserError(
            f"the settings 'lora_config' of {path} are {settings!r:.60}, not an object with rank, alpha and "
            "adapter_type; export it again"
        )
    return tensors, settings, facts


def _kind(settings: dict, magnitudes: Mapping[str, Tensor], path: str | Path) -> str:
    """The kind by our names. The type "dora" of early files means rows or columns by the shape of the magnitudes."""
    given = settings.get("adapter_type", "lora")
    if given == "dora" and any(tensor.dim() == 2 and len(tensor) == 1 for tensor in magnitudes.values()):
        return "dora-cols"
    kind = "dora" if given in ("dora", "dora-rows") else given
    if not isinstance(kind, str) or kind not in TENSORS:
        known = ", ".join(sorted("dora-rows" if name == "dora" else name for name in TENSORS))
        raise UserError(f"{path} has an adapter of type {given!r}; the known types are {known}; train one of these")
    return kind


def _split(name: str, source: str | Path) -> tuple[str, str]:
    """Stability's name of a tensor -> the layer by `stored.layer_name` and our name of the part."""
    layer, _, part = name.replace(PARAMETRIZATION, ".").rpartition(".")
    if part not in FROM_SA3 or "parametrizations" in layer:
        raise UserError(f"{source} holds '{name}', which is no tensor of a LoRA or DoRA; choose another adapter")
    return stored.layer_name(layer, source), FROM_SA3[part]


def _plain(tensor: Tensor, part: str, kind: str, name: str, source: str | Path) -> Tensor:
    """Magnitudes as a vector, also where an early file has them as a row or a column; other tensors as they are."""
    wanted = 1 if part in (MAGNITUDE, ROWS, COLUMNS) else 2
    if part == MAGNITUDE and tensor.dim() == 2:
        single = 0 if kind.startswith("dora-cols") else 1
        if tensor.shape[single] == 1:
            return tensor.flatten()
    if tensor.dim() != wanted:
        raise UserError(
            f"'{name}' in {source} has shape {tuple(tensor.shape)}, which an adapter of type '{kind}' does not have; "
            "export the adapter again"
        )
    return tensor


def _check_filters(adapter: Adapter, settings: dict, path: str | Path) -> None:
    """Raises UserError for tensors that Stability's loader would ignore because of "include" or "exclude"."""
    filters = {key: settings.get(key) for key in ("include", "exclude")}
    for key, patterns in filters.items():
        if patterns is not None and not (isinstance(patterns, list) and all(isinstance(p, str) for p in patterns)):
            raise UserError(f"'{key}' in the settings of {path} is {patterns!r:.60}, not a list of names; correct it")
    for layer in adapter.layers():
        name = layer if layer.startswith(CONDITIONER) else DIT + layer
        included = filters["include"] is None or _matches(name, filters["include"])
        if not included or _matches(name, filters["exclude"] or []):
            raise UserError(
                f"{path} has tensors for '{layer}', which its settings leave out (include {filters['include']}, "
                f"exclude {filters['exclude']}); remove the tensors or correct the settings"
            )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether one of `patterns` is part of `name`; "layers.[0-3]." stands for four of them, as at Stability."""
    if any("[" in pattern for pattern in patterns):
        from stable_audio_tools.models.lora.model import _matches_any  # takes seconds to import

        return _matches_any(name, patterns)
    return any(pattern.strip() in name for pattern in patterns)
