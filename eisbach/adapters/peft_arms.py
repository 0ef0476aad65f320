"""One PEFT adapter per arm on one frozen base: same initial values, only one active at a time."""

import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from eisbach.errors import UserError
from eisbach.files import replacing
from eisbach.seeds import derive


def targets(dit: nn.Module) -> list[str]:
    """Names of every Linear and Conv1d of a DiT: what Stability's trainer adapts."""
    return [name for name, module in dit.named_modules() if isinstance(module, nn.Linear | nn.Conv1d)]


def config(dit: nn.Module, kind: str, rank: int, alpha: float) -> LoraConfig:
    """`kind` is "lora" or "dora" (magnitudes per output row, Stability's "dora-rows"). Raises UserError otherwise."""
    if kind not in ("lora", "dora"):
        raise UserError(f"finetune.adapter is {kind!r} in params.yaml; it must be 'lora' or 'dora'")
    return LoraConfig(r=rank, lora_alpha=alpha, use_dora=kind == "dora", target_modules=targets(dit), lora_dropout=0.0)


class PairedAdapters:
    """The adapters of all arms of one seed, in one DiT.

    `dit` is changed in place: its Linear and Conv1d layers are wrapped, its own weights stay frozen. Every adapter
    starts from the same draw, derived from (seed, "adapter"); an untrained one leaves the output as it was.
    """

    def __init__(self, dit: nn.Module, arms: Iterable[str], kind: str, rank: int, alpha: float, seed: int = 0):
        self.dit = dit
        self.config = config(dit, kind, rank, alpha)
        for arm in arms:
            with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Already found a `peft_config`")  # several are meant
                torch.manual_seed(derive(seed, "adapter"))
                inject_adapter_in_model(self.config, dit, adapter_name=arm)
        self.layers = [module for module in dit.modules() if isinstance(module, LoraLayer)]

    def activate(self, arm: str) -> None:
        """Let `arm` alone shape the forward pass and receive gradients."""
        for layer in self.layers:
            layer.set_adapter(arm)

    def parameters(self, arm: str) -> dict[str, nn.Parameter]:
        """The trainable tensors of `arm`, by their name in the DiT."""
        return {name: parameter for name, parameter in self.dit.named_parameters() if arm in name.split(".")}

    def state(self, arm: str) -> dict[str, Tensor]:
        """The tensors of `arm` in PEFT's naming, cloned."""
        return {name: tensor.clone() for name, tensor in get_peft_model_state_dict(self.dit, adapter_name=arm).items()}

    def save(self, arm: str, folder: str | Path) -> None:
        """Write PEFT's layout: `adapter_config.json` and `adapter_model.safetensors` (fp32)."""
        with replacing(folder) as temporary:
            temporary.mkdir()
            settings = LoraConfig(**{**self.config.to_dict(), "target_modules": sorted(self.config.target_modules)})
            settings.inference_mode = True
            settings.save_pretrained(temporary)
            save_file(self.state(arm), temporary / "adapter_model.safetensors", metadata={"format": "pt"})

    def load(self, arm: str, folder: str | Path) -> None:
        """Read what `save` wrote into `arm`. Raises UserError when it is missing or of another shape."""
        path = Path(folder) / "adapter_model.safetensors"
        if not path.is_file():
            raise UserError(f"{path} is missing; run `dvc repro finetune` first")
        outcome = set_peft_model_state_dict(self.dit, load_file(path), adapter_name=arm)
        if outcome.unexpected_keys:
            raise UserError(f"{path} holds '{outcome.unexpected_keys[0]}', which this model has no place for")
