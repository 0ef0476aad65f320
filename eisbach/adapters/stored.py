"""An adapter as a file holds it, independent of the format: what it must consist of, and the names of its layers.

A layer of the DiT has its name in the DiT ("transformer.layers.0.ff.ff.2"); a layer of the conditioner begins with
"conditioners." ("conditioners.seconds_total.embedder.embedding.1").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from eisbach.adapters.kinds import COLUMNS, CORE, LEFT, LORA_A, LORA_B, MAGNITUDE, RIGHT, ROWS, TENSORS
from eisbach.errors import UserError

CONDITIONER = "conditioners."
DIT_PARTS = (
    "transformer.",
    "preprocess_conv",
    "postprocess_conv",
    "to_cond_embed.",
    "to_global_embed.",
    "to_prepend_embed.",
    "to_timestep_embed.",
)
WRAPPERS = ("base_model.", "model.", "diffusion_model.", "module.", "_orig_mod.", "conditioner.")


@dataclass(frozen=True)
class Adapter:
    """One stored adapter. `tensors` are named "<layer>.<part>", parts as in `kinds`; A, B and row magnitudes have
    PEFT's shapes (`peft_format`).

    `kind` is a key of `kinds.TENSORS`; the weight's change is (alpha / rank) B A. `dropout` is a record.
    """

    kind: str
    rank: int
    alpha: float
    tensors: dict[str, Tensor]
    dropout: float = 0.0

    def layers(self) -> dict[str, dict[str, Tensor]]:
        """Layer -> part -> tensor, matrices as 2-D and magnitudes as 1-D tensors."""
        found: dict[str, dict[str, Tensor]] = {}
        for name, tensor in self.tensors.items():
            layer, part = split(name, "the adapter")
            flat = tensor.flatten() if part in (MAGNITUDE, ROWS, COLUMNS) else tensor.flatten(1)
            found.setdefault(layer, {})[part] = flat
        return found

    def has_conditioner(self) -> bool:
        """Whether it adapts a layer of the conditioner."""
        return any(name.startswith(CONDITIONER) for name in self.tensors)


def split(name: str, source: str | Path) -> tuple[str, str]:
    """ "a.b.lora_A.weight" -> ("a.b", "lora_A.weight"). Raises UserError naming `source` for any other tensor."""
    for part in (LORA_A, LORA_B, MAGNITUDE, CORE, ROWS, COLUMNS, LEFT, RIGHT):
        if name.endswith(f".{part}"):
            return name.removesuffix(f".{part}"), part
    raise UserError(f"{source} holds '{name}', which is no tensor of a LoRA or DoRA; choose another adapter")


def layer_name(written: str, source: str | Path) -> str:
    """The name of a layer without the prefixes that tools write before it: "module.model.transformer.x" ->
    "transformer.x".

    Raises UserError naming `source` where the rest is no part of a Stable Audio 3 model.
    """
    name = written.replace("._orig_mod.", ".")
    while not name.startswith((CONDITIONER, *DIT_PARTS)):
        prefix = next((prefix for prefix in WRAPPERS if name.startswith(prefix)), None)
        if prefix is None:
            raise UserError(
                f"{source} adapts '{written}', which is in no part of a Stable Audio 3 model; rename its tensors so "
                "that they begin with 'model.' as in Stability's files, or choose another adapter"
            )
        name = name.removeprefix(prefix)
    return name


def check(adapter: Adapter, source: str | Path) -> Adapter:
    """`adapter` itself. Raises UserError naming `source`, a tensor and the cure when it cannot be used as it is."""
    if not adapter.tensors:
        raise UserError(f"{source} holds no tensors of an adapter; export it again")
    for name, tensor in adapter.tensors.items():
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UserError(f"'{name}' in {source} is {kind}; export the adapter again as float32 or float16")
        if not torch.isfinite(tensor.float()).all():
            raise UserError(f"'{name}' in {source} has NaN or infinite values; choose an earlier step of the training")
    for layer, parts in adapter.layers().items():
        _check_parts(adapter, layer, parts, source)
        _check_shapes(adapter, layer, parts, source)
    return adapter


def _check_parts(adapter: Adapter, layer: str, parts: Mapping[str, Tensor], source: str | Path) -> None:
    needed = TENSORS[adapter.kind]
    if missing := [part for part in needed if part not in parts]:
        raise UserError(
            f"'{layer}' in {source} has no {missing[0]}, which an adapter of type '{adapter.kind}' needs; export the "
            "adapter again, complete"
        )
    bases = {LEFT, RIGHT} if adapter.kind.endswith("-xs") else set()
    if extra := sorted(parts.keys() - set(needed) - bases):
        raise UserError(
            f"'{layer}.{extra[0]}' in {source} is no part of an adapter of type '{adapter.kind}'; correct the type in "
            "the settings of the file, which must be that of the training (with row magnitudes: dora-rows, DoRA)"
        )
    if len(bases & parts.keys()) == 1:
        raise UserError(f"'{layer}' in {source} has only one of U and V; export the adapter again with both or none")


def part_shapes(kind: str, rank: int, out: int, width: int) -> dict[str, tuple[int, ...]]:
    """The shape of every part of a layer with weight `[out, width]`."""
    magnitude = (width,) if kind.startswith("dora-cols") else (out,)
    return {
        LORA_A: (rank, width),
        LORA_B: (out, rank),
        MAGNITUDE: magnitude,
        CORE: (rank, rank),
        LEFT: (out, rank),
        RIGHT: (width, rank),
        ROWS: (out,),
        COLUMNS: (width,),
    }


def misfit(adapter: Adapter, parts: Mapping[str, Tensor], weight: torch.Size) -> str:
    """What keeps the `parts` of a layer from adapting a weight of shape `[out, in, ...]`, as a phrase, or nothing."""
    out, width = weight[0], weight[1:].numel()
    from eisbach.models.tensor_check import mismatches, shapes  # importing eisbach.models takes seconds

    expected = part_shapes(adapter.kind, adapter.rank, out, width)
    wrong = mismatches({part: expected[part] for part in parts}, shapes(parts))
    if adapter.kind.endswith("-xs") and adapter.rank > min(out, width):
        wrong.append(f"rank {adapter.rank} is larger than its weight ({out}, {width})")
    return wrong[0] if wrong else ""


def _check_shapes(adapter: Adapter, layer: str, parts: Mapping[str, Tensor], source: str | Path) -> None:
    """Compare the parts with each other and with the rank; only the model knows the size of a weight."""
    out = next((len(parts[part]) for part in (LORA_B, LEFT, ROWS) if part in parts), 0)
    width = next(
        (parts[part].shape[axis] for part, axis in ((LORA_A, 1), (RIGHT, 0), (COLUMNS, 0)) if part in parts), 0
    )
    expected = part_shapes(adapter.kind, adapter.rank, out, width)
    for part, tensor in parts.items():
        unknown = 0 in expected[part] and tensor.dim() == len(expected[part]) and tensor.numel() > 0
        if (tuple(tensor.shape) != expected[part] and not unknown) or tensor.numel() == 0:
            raise UserError(
                f"'{layer}.{part}' in {source} has shape {tuple(tensor.shape)}, not {expected[part]}, at rank "
                f"{adapter.rank} and type '{adapter.kind}'; correct the settings of the file, or choose an adapter "
                "with one rank for all layers"
            )
