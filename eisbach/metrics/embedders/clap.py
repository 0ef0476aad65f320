"""LAION-CLAP (Wu et al., 2023) where its weights are: a folder in the hub's layout, named by `evaluate.clap`.

Trained at 48 kHz on full-band recordings; our samples are rendered below 8 kHz, so only differences between arms mean
anything here.
"""

from pathlib import Path

import numpy as np
import torch

from eisbach.errors import UserError

RATE = 48000


class Clap:
    """`audio(samples at 48 kHz)` and `text(captions)` -> vectors of unit length in one space."""

    def __init__(self, folder: str | Path):
        """Raises UserError when `folder` holds no CLAP model with its processor."""
        from transformers import ClapModel, ClapProcessor

        try:
            self.processor = ClapProcessor.from_pretrained(folder, local_files_only=True)
            self.model = ClapModel.from_pretrained(folder, local_files_only=True).eval()
        except (OSError, ValueError) as error:
            raise UserError(
                f"{folder} holds no CLAP model ({str(error).splitlines()[0]}); "
                "set evaluate.clap in params.yaml to a folder with one, or to ''"
            ) from error

    @torch.no_grad()
    def audio(self, samples: np.ndarray) -> np.ndarray:
        inputs = self.processor(audio=samples, sampling_rate=RATE, return_tensors="pt")
        return _unit(self.model.get_audio_features(**inputs))[0]

    @torch.no_grad()
    def text(self, captions: list[str]) -> np.ndarray:
        inputs = self.processor(text=captions, return_tensors="pt", padding=True, truncation=True)
        return _unit(self.model.get_text_features(**inputs))


def _unit(features) -> np.ndarray:
    vectors = getattr(features, "pooler_output", features)  # a tensor before transformers 5, an output since
    return torch.nn.functional.normalize(vectors, dim=-1).double().numpy()
