"""LAION-CLAP (Wu et al., 2023), used when `evaluate.clap` names a folder with its weights in the hub's layout.

It was trained at 48 kHz on full-band recordings. Our samples are rendered below 8 kHz, so only differences between arms
can be interpreted.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError

from eisbach.errors import UserError

RATE = 48000


class Clap:
    """A loaded CLAP model; `audio` and `text` embed into one space of unit vectors."""

    def __init__(self, folder: str | Path):
        """Raises UserError when `folder` holds no CLAP model with its processor."""
        from transformers import ClapConfig, ClapModel, ClapProcessor

        try:
            kind = ClapConfig.get_config_dict(folder, local_files_only=True)[0].get("model_type")
            if kind != "clap":  # else transformers would build CLAP at its default size with random weights
                raise ValueError(f"its config.json describes a model of type {kind!r}")
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
        """Mono audio [samples] at 48 kHz -> [D]: the mean over consecutive pieces of ten seconds, remainder left out.

        Longer audio is cut here because the processor would cut it at a random offset.
        """
        size = self.processor.feature_extractor.nb_max_samples
        starts = range(0, max(1, len(samples) // size) * size, size)
        inputs = self.processor(
            audio=[samples[start : start + size] for start in starts], sampling_rate=RATE, return_tensors="pt"
        )
        mean = _unit(self.model.get_audio_features(**inputs)).mean(0)
        return mean / np.linalg.norm(mean)

    @torch.no_grad()
    def text(self, captions: list[str]) -> np.ndarray:
        """P captions -> [P, D]. Captions that are too long for the model are truncated."""
        inputs = self.processor(text=captions, return_tensors="pt", padding=True, truncation=True)
        return _unit(self.model.get_text_features(**inputs))


def _unit(features) -> np.ndarray:
    vectors = getattr(features, "pooler_output", features)  # an output object in transformers 5, a tensor before
    return torch.nn.functional.normalize(vectors, dim=-1).double().numpy()
