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
    """`clips` yields (clip_id, audio [2, samples]) in the manifest's order; each row's `seconds` is its clip's length.

    A clip shorter than the corpus' longest is padded with silence, outside its mask. Raises ValueError when ids or
    lengths and manifest disagree.
    """
    codec, text = model.pretransform, model.conditioner.conditioners["prompt"]
    samples = [round(row["seconds"] * codec.sample_rate) for row in manifest]
    valid = torch.tensor([-(-count // codec.downsampling_ratio) for count in samples])
    latents = []
    for (clip_id, audio), row, count in zip(clips, manifest, samples, strict=True):
        if clip_id != row["clip_id"]:
            raise ValueError(f"clip {clip_id} stands where the manifest has {row['clip_id']}")
        if audio.shape[1] != count:
            raise ValueError(f"clip {clip_id} has {audio.shape[1]} samples where the manifest has {count}")
        padded = torch.nn.functional.pad(torch.from_numpy(audio), (0, max(samples) - count))
        with torch.no_grad():
            latents.append(codec.encode(padded[None])[0])
    captions = [row["caption"] for row in manifest]
    encoded = [text.states(captions[start : start + batch]) for start in range(0, len(captions), batch)]
    states, token_mask = (torch.cat(parts) for parts in zip(*encoded, strict=True))
    mask = torch.arange(valid.max()) < valid[:, None]
    return Latents(
        pd.DataFrame(manifest), torch.stack(latents), mask, states.half(), token_mask, pooled(states, token_mask)
    )


def reconstruction_db(codec: nn.Module, audio: np.ndarray, *, phases: bool) -> float:
    """Mean absolute error of the log-mel spectrum in dB, after the latents or, with `phases`, after the whole decoder.

    `audio` is [2, samples]. The first is what PCA loses, the second adds Griffin-Lim.
    """
    with torch.no_grad():
        wanted = codec.log_mel(torch.from_numpy(audio)[None])
        latents = codec.encode(torch.from_numpy(audio)[None])
        got = codec.log_mel(codec.decode(latents)) if phases else codec.reconstruct(latents)
    return float((got - wanted).abs().mean() * DECIBELS)
