"""PEFT's adapter folder: `adapter_config.json` and `adapter_model.safetensors`, as PEFT itself writes and reads it.

For a layer X of the DiT with weight `[out, in]` and rank r:

    name in the file            Linear        Conv1d of kernel 1
    X.lora_A.weight             [r, in]       [r, in, 1]
    X.lora_B.weight             [out, r]      [out, r, 1]
    X.lora_magnitude_vector     [out]         [1, out, 1]        DoRA only
"""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from eisbach.errors import UserError
from eisbach.pipeline.files import replacing

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LORA_A, LORA_B, MAGNITUDE = "lora_A.weight", "lora_B.weight", "lora_magnitude_vector"


@dataclass(frozen=True)
class Adapter:
    """One stored adapter. `tensors` have PEFT's names and shapes.

    `kind` is "lora" or "dora"; the weight's change is (alpha / rank) B A. `dropout` is a record of the training.
    """

    kind: str
    rank: int
    alpha: float
    tensors: dict[str, Tensor]
    dropout: float = 0.0


def read(folder: str | Path) -> Adapter:
    """The adapter in `folder`, tensors in the file's dtype.

    Raises UserError when a file is missing or a tensor is no part of a LoRA or DoRA.
    """
    folder = Path(folder)
    if missing := [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]:
        raise UserError(
            f"{folder} has no {' and no '.join(missing)}; run `dvc repro finetune` first, or name a folder that PEFT "
            "wrote"
        )
    config, tensors = json.loads((folder / CONFIG).read_text()), load_file(folder / WEIGHTS)
    for name in tensors:
        split(name, folder)
    kind = "dora" if config["use_dora"] else "lora"
    return Adapter(kind, config["r"], config["lora_alpha"], tensors, config["lora_dropout"])


def write(folder: str | Path, adapter: Adapter) -> None:
    """Write `folder`, replacing it whole; equal adapters give equal bytes. The config records no dropout."""
    layers = sorted({split(name, folder)[0] for name in adapter.tensors})
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
    with replacing(folder) as temporary:
        temporary.mkdir()
        config.save_pretrained(temporary)
        save_file(adapter.tensors, temporary / WEIGHTS, metadata={"format": "pt"})


def split(name: str, source: str | Path) -> tuple[str, str]:
    """ "a.b.lora_A.weight" -> ("a.b", "lora_A.weight"). Raises UserError naming `source` for any other tensor."""
    for part in (LORA_A, LORA_B, MAGNITUDE):
        if name.endswith(f".{part}"):
            return name.removesuffix(f".{part}"), part
    raise UserError(f"{source} holds '{name}', which is no tensor of a LoRA or DoRA; choose another adapter")


def to_peft_shape(tensor: Tensor, part: str, *, convolution: bool) -> Tensor:
    """A matrix A or B, or a vector of magnitudes, in the shape of the table above."""
    if not convolution:
        return tensor
    return tensor.view(1, -1, 1) if part == MAGNITUDE else tensor.unsqueeze(-1)


def from_peft_shape(tensor: Tensor, part: str) -> Tensor:
    """Inverse of `to_peft_shape`: A `[r, in]`, B `[out, r]`, magnitudes `[out]`."""
    return tensor.flatten() if part == MAGNITUDE else tensor.flatten(1)
