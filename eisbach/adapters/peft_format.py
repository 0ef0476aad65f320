"""PEFT's adapter folder: `adapter_config.json` and `adapter_model.safetensors`, as PEFT itself writes and reads it.

For a layer X of the DiT with weight `[out, in]` and rank r:

    name in the file                              Linear        Conv1d of kernel 1
    base_model.model.X.lora_A.weight              [r, in]       [r, in, 1]
    base_model.model.X.lora_B.weight              [out, r]      [out, r, 1]
    base_model.model.X.lora_magnitude_vector      [out]         [1, out, 1]        DoRA only

`PeftModel.from_pretrained(dit, folder)` loads it. Layers of the conditioner are in the folder `conditioner` within, for
`PeftModel.from_pretrained(conditioner, folder / "conditioner")`: PEFT's folder belongs to one module.
"""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from eisbach.adapters import peft_config, stored
from eisbach.adapters.kinds import LORA_A, LORA_B, MAGNITUDE, TRAINABLE
from eisbach.adapters.stored import CONDITIONER, Adapter, split
from eisbach.errors import UserError
from eisbach.pipeline.files import replacing

CONFIG, WEIGHTS, CONDITIONER_FOLDER = "adapter_config.json", "adapter_model.safetensors", "conditioner"
PREFIX = "base_model.model."


def read(folder: str | Path) -> Adapter:
    """The adapter in `folder`, tensors in the file's dtype, layers by their names in the model (`stored.layer_name`).

    Scales that differ between layers, and `use_rslora`, are converted: the result acts as PEFT's. Raises UserError when
    a file is missing, a setting has no equal here, or a tensor does not fit (`stored.check`).
    """
    folder = Path(folder)
    parts = [_part(folder)]
    if (folder / CONDITIONER_FOLDER).is_dir():
        parts.append(_part(folder / CONDITIONER_FOLDER))
    if len({part.kind for part in parts}) > 1:
        raise UserError(f"{folder} holds a LoRA and a DoRA; train its two parts as one kind")
    tensors, scales, ranks = {}, {}, {}
    for part in parts:
        for name, tensor in part.tensors.items():
            layer, kind = split(name, folder)
            layer_name = stored.layer_name(layer, folder / WEIGHTS)
            scales[layer_name] = part.scale(layer)
            ranks[layer_name] = part.rank(layer)
            if tensors.setdefault(f"{layer_name}.{kind}", tensor) is not tensor:
                raise UserError(f"{folder} holds '{layer_name}.{kind}' twice, under two prefixes; keep one of them")
    for name, tensor in tensors.items():
        layer, kind = split(name, folder)
        found = {LORA_A: tensor.shape[:1], LORA_B: tensor.shape[1:2]}.get(kind)
        if found is not None and found != (ranks[layer],):
            raise UserError(
                f"'{name}' in {folder / WEIGHTS} has shape {tuple(tensor.shape)}, but {CONFIG} gives the layer rank "
                f"{ranks[layer]}; take both files from one training"
            )
    rank, alpha, tensors = peft_config.equalised(tensors, ranks, scales, parts[0].settings)
    return stored.check(Adapter(parts[0].kind, rank, alpha, tensors, parts[0].dropout), folder / WEIGHTS)


def _part(folder: Path) -> peft_config.Part:
    """One folder, whose settings have been checked."""
    if missing := [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]:
        raise UserError(
            f"{folder} has no {' and no '.join(missing)}; run `dvc repro finetune` first, or name a folder that PEFT "
            "wrote"
        )
    try:
        settings = json.loads((folder / CONFIG).read_text())
    except ValueError as error:
        raise UserError(f"{folder / CONFIG} is not JSON ({error}); save the adapter again with PEFT") from error
    peft_config.check(settings, folder / CONFIG)
    try:
        tensors = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise UserError(
            f"{folder / WEIGHTS} is not a safetensors file ({error}); save the adapter again with PEFT"
        ) from error
    for name in tensors:
        split(name, folder)
    return peft_config.Part(settings, tensors)


def write(folder: str | Path, adapter: Adapter) -> None:
    """Write `folder`, replacing it whole; equal adapters give equal bytes. The config records no dropout.

    Raises UserError for a kind that PEFT does not have.
    """
    if adapter.kind not in TRAINABLE:
        raise UserError(
            f"PEFT has no adapter of type '{adapter.kind}', so {folder} cannot be written; use the file in Stable "
            "Audio 3's format, or merge it into a base with `eisbach adapter merge`"
        )
    of_dit = {name: tensor for name, tensor in adapter.tensors.items() if not name.startswith(CONDITIONER)}
    of_conditioner = {name: tensor for name, tensor in adapter.tensors.items() if name not in of_dit}
    with replacing(folder) as temporary:
        temporary.mkdir()
        _write_part(temporary, adapter, of_dit)
        if of_conditioner:
            (temporary / CONDITIONER_FOLDER).mkdir()
            _write_part(temporary / CONDITIONER_FOLDER, adapter, of_conditioner)


def _write_part(folder: Path, adapter: Adapter, tensors: dict[str, Tensor]) -> None:
    layers = sorted({split(name, folder)[0] for name in tensors})
    from peft import LoraConfig  # takes seconds to import

    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        use_dora=adapter.kind == "dora",
        target_modules=layers,
        lora_dropout=0.0,
        inference_mode=True,
    )
    config.target_modules = layers  # the constructor makes a set of it, which would be written in any order
    config.save_pretrained(folder)
    named = {f"{PREFIX}{name}": tensor.contiguous() for name, tensor in tensors.items()}
    save_file(named, folder / WEIGHTS, metadata={"format": "pt"})


def to_peft_shape(tensor: Tensor, part: str, *, convolution: bool) -> Tensor:
    """A matrix A or B, or a vector of magnitudes, in the shape of the table above."""
    if not convolution:
        return tensor
    return tensor.view(1, -1, 1) if part == MAGNITUDE else tensor.unsqueeze(-1)
