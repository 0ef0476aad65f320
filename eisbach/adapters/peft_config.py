"""The settings in PEFT's `adapter_config.json`: which of them are read, converted or refused by name."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from eisbach.adapters.kinds import LORA_A, LORA_B
from eisbach.errors import UserError

READ = ("r", "lora_alpha", "lora_dropout", "use_dora", "use_rslora", "rank_pattern", "alpha_pattern")
WITHOUT_EFFECT = (  # on the meaning of stored tensors
    "auto_mapping",
    "base_model_name_or_path",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
)
INITIAL = (None, True, False, "gaussian", "orthogonal", "eva")  # the others also change the base's weights


@dataclass(frozen=True)
class Part:
    """The settings and tensors of one folder."""

    settings: dict
    tensors: dict[str, Tensor]

    @property
    def kind(self) -> str:
        return "dora" if self.settings.get("use_dora") else "lora"

    @property
    def dropout(self) -> float:
        return self.settings.get("lora_dropout", 0.0)

    def rank(self, layer: str) -> int:
        """The rank of `layer`, named as in the folder."""
        return self._of_layer("rank_pattern", "r", layer)

    def scale(self, layer: str) -> float:
        """The factor of B A of `layer`: alpha / r, with `use_rslora` alpha / sqrt(r)."""
        rank, alpha = self.rank(layer), self._of_layer("alpha_pattern", "lora_alpha", layer)
        return alpha / (math.sqrt(rank) if self.settings.get("use_rslora") else rank)

    def _of_layer(self, pattern: str, default: str, layer: str):
        patterns = self.settings.get(pattern) or {}
        if not patterns:
            return self.settings[default]
        from peft.utils.other import get_pattern_key  # takes seconds to import

        return patterns.get(get_pattern_key(patterns.keys(), layer), self.settings[default])


def check(settings: object, source: Path) -> None:
    """Raises UserError naming `source`, the setting and the cure when `settings` cannot be used."""
    if not isinstance(settings, dict):
        raise UserError(f"{source} holds {type(settings).__name__}, not an object; save the adapter again with PEFT")
    if settings.get("peft_type", "LORA") != "LORA":
        raise UserError(f"{source} has peft_type {settings['peft_type']!r}; train a LoRA or DoRA")
    for key, value in settings.items():
        if key not in READ and key not in WITHOUT_EFFECT and value not in (None, False, "none", {}, []):
            raise UserError(f"{source} sets '{key}' to {value!r}, which has no equal here; train without it")
    if settings.get("init_lora_weights") not in INITIAL:
        raise UserError(
            f"{source} sets 'init_lora_weights' to {settings['init_lora_weights']!r}, which changes the base's weights "
            "too; save the adapter with path_initial_model_for_weight_conversion"
        )
    for key in ("rank_pattern", "alpha_pattern"):
        if not isinstance(settings.get(key) or {}, dict) or not all(map(_is_pattern, settings.get(key) or {})):
            raise UserError(f"{source} has '{key}' {settings[key]!r}, not an object of patterns; save it anew")
    for rank in (settings.get("r"), *(settings.get("rank_pattern") or {}).values()):
        check_rank(rank, "r", source)
    for alpha in (settings.get("lora_alpha"), *(settings.get("alpha_pattern") or {}).values()):
        check_alpha(alpha, "lora_alpha", source)
    check_alpha(settings.get("lora_dropout", 0.0), "lora_dropout", source)
    for key in ("use_dora", "use_rslora"):
        if settings.get(key) not in (None, True, False):
            raise UserError(f"{source} has '{key}' {settings[key]!r}, not true or false; save it again with PEFT")


def _is_pattern(text: str) -> bool:
    try:
        return bool(re.compile(text))
    except re.error:
        return False


def check_rank(value: object, key: str, source: str | Path) -> None:
    """Raises UserError unless `value` is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{source} has '{key}' {value!r}, not a positive integer; write the rank of the training there")


def check_alpha(value: object, key: str, source: str | Path) -> None:
    """Raises UserError unless `value` is a finite number. 0 is one: the adapter then has no effect on the direction."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise UserError(f"{source} has '{key}' {value!r}, not a finite number; write that of the training there")


def equalised(
    tensors: dict[str, Tensor], ranks: Mapping[str, int], scales: Mapping[str, float], settings: dict
) -> tuple[int, float, dict[str, Tensor]]:
    """One rank, one alpha and tensors that act as `tensors` do with a rank and a scale for each layer.

    Smaller ranks are filled with zeros; B is multiplied by the ratio of the scales. Where all are equal no tensor
    changes.
    """
    rank, scale = max(ranks.values(), default=settings["r"]), max(scales.values(), key=abs, default=0.0)
    alpha = settings["lora_alpha"]
    if rank != settings["r"] or scale != alpha / settings["r"]:
        alpha = scale * rank
    changed = {}
    for name, tensor in tensors.items():
        layer, _, _ = name.rpartition(".lora_")
        part = name.removeprefix(f"{layer}.")
        if part == LORA_B and scales[layer] != scale:
            tensor = tensor * (scales[layer] / scale)
        if part in (LORA_A, LORA_B) and ranks[layer] != rank:
            shape = list(tensor.shape)
            axis = 0 if part == LORA_A else 1
            shape[axis] = rank - shape[axis]
            tensor = torch.cat([tensor, tensor.new_zeros(shape)], axis)
        changed[name] = tensor
    return rank, alpha, changed
