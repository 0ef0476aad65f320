"""LAION-CLAP (Wu et al., 2023) where its weights are: a folder in the hub's layout, named by `evaluate.clap`.

Trained at 48 kHz on full-band recordings; our samples are rendered below 8 kHz, so only differences between arms mean
anything here.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError

from eisbach.errors import UserError

RATE = 48000


class Clap:
    """`audio(samples at 48 kHz)` and `text(captions)` -> vectors of unit length in one space."""

    def __init__(self, folder: str | Path):
        """Raises UserError when `folder` holds no CLAP model with its processor."""
        from transformers import ClapConfig, ClapModel, ClapProcessor

        try:
            kind = ClapConfig.get_config_dict(folder, local_files_only=True)[0].get("model_type")
            if kind != "clap":  # transformers would build CLAP at its usual size and fill it with random weights
                raise ValueError(f"its config.json is that of a model of type {kind!r}")
            self.processor = ClapProcessor.from_pretrained(folder, local_files_only=True)
            model, found = ClapModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
            if lacking := sorted(found["missing_keys"]):
                raise ValueError(f"its weights lack {lacking[0]} and {len(lacking) - 1} more")
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise UserError(
                f"{folder} holds no CLAP model ({str(error).splitlines()[0]}); "
                "set evaluate.clap in params.yaml to a folder with one, or to ''"
            ) from error
        self.model = model.eval()

    @torch.no_grad()
    def audio(self, samples: np.ndarray) -> np.ndarray:
        """The mean over pieces of ten seconds, the remainder left out; the processor would cut at a random place."""
        size = self.processor.feature_extractor.nb_max_samples
        starts = range(0, max(1, len(samples) // size) * size, size)
        inputs = self.processor(
            audio=[samples[start : start + size] for start in starts], sampling_rate=RATE, return_tensors="pt"
        )
        mean = _unit(self.model.get_audio_features(**inputs)).mean(0)
        return mean / np.linalg.norm(mean)

    @torch.no_grad()
    def text(self, captions: list[str]) -> np.ndarray:
        inputs = self.processor(text=captions, return_tensors="pt", padding=True, truncation=True)
        return _unit(self.model.get_text_features(**inputs))


def _unit(features) -> np.ndarray:
    vectors = getattr(features, "pooler_output", features)  # a tensor before transformers 5, an output since
    return torch.nn.functional.normalize(vectors, dim=-1).double().numpy()
