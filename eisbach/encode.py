"""Clips and captions -> latents and text states, through the codec and the text encoder of a loaded model."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import nn

from eisbach.data.latents import Latents
from eisbach.models.text import pooled

DECIBELS = 20 / np.log(10)  # natural log of an amplitude -> dB


def encode(model: nn.Module, clips: Iterable[tuple[str, np.ndarray]], manifest: list[dict], batch: int = 64) -> Latents:
    """`clips` yields (clip_id, audio [2, samples]) in the manifest's order; clips must be of equal length.

    Raises ValueError when ids and manifest disagree.
    """
    codec, text = model.pretransform, model.conditioner.conditioners["prompt"]
    latents = []
    for (clip_id, audio), row in zip(clips, manifest, strict=True):
        if clip_id != row["clip_id"]:
            raise ValueError(f"clip {clip_id} stands where the manifest has {row['clip_id']}")
        with torch.no_grad():
            latents.append(codec.encode(torch.from_numpy(audio)[None])[0])
    captions = [row["caption"] for row in manifest]
    encoded = [text.states(captions[start : start + batch]) for start in range(0, len(captions), batch)]
    states, mask = (torch.cat(parts) for parts in zip(*encoded, strict=True))
    return Latents(pd.DataFrame(manifest), torch.stack(latents), states.half(), mask, pooled(states, mask))


def reconstruction_db(codec: nn.Module, audio: np.ndarray, *, phases: bool) -> float:
    """Mean absolute error of the log-mel spectrum in dB, after the latents or, with `phases`, after the whole decoder.

    `audio` is [2, samples]. The first is what PCA loses, the second adds Griffin-Lim.
    """
    with torch.no_grad():
        wanted = codec.log_mel(torch.from_numpy(audio)[None])
        latents = codec.encode(torch.from_numpy(audio)[None])
        got = codec.log_mel(codec.decode(latents)) if phases else codec.reconstruct(latents)
    return float((got - wanted).abs().mean() * DECIBELS)
