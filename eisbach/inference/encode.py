"""Clips and captions -> latents and text states, through the codec and the text encoder of a loaded model."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import nn

from eisbach.data.clips import Encoded
from eisbach.data.latents import Latents
from eisbach.errors import UserError
from eisbach.models.text import pooled

DECIBELS = 20 / np.log(10)  # natural log of an amplitude -> dB


def encode(
    model: nn.Module, clips: Iterable[tuple[str, np.ndarray | Encoded]], manifest: list[dict], batch: int = 64
) -> Latents:
    """`clips` yields (clip_id, audio [2, samples]) in the manifest's order; each row's `seconds` is its clip's length.

    A clip shorter than the corpus' longest is padded with silence, outside its mask. Clips that came as latents are
    taken as they are. Raises ValueError when ids or lengths and manifest disagree, UserError for latents of a model
    with another number of channels.
    """
    codec, text = model.pretransform, model.conditioner.conditioners["prompt"]
    samples = [round(row["seconds"] * codec.sample_rate) for row in manifest]
    valid = torch.tensor([-(-count // codec.downsampling_ratio) for count in samples])
    captions = [row["caption"] for row in manifest]
    encoded = [_text(text, captions[start : start + batch]) for start in range(0, len(captions), batch)]
    states, token_mask, sentences = (torch.cat(parts) for parts in zip(*encoded, strict=True))
    latents = []
    for (clip_id, audio), row, count in zip(clips, manifest, samples, strict=True):
        if clip_id != row["clip_id"]:
            raise ValueError(f"clip {clip_id} stands where the manifest has {row['clip_id']}")
        with torch.no_grad():
            latents.append(_latents(model, clip_id, audio, count, max(samples)))
    mask = torch.arange(valid.max()) < valid[:, None]
    return Latents(pd.DataFrame(manifest), torch.stack(latents), mask, states, token_mask, sentences)


def _text(encoder: nn.Module, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token states in half precision, half of what a corpus' captions would take, their mask, and sentences."""
    states, mask = encoder.states(captions)
    if not states.half().isfinite().all():
        raise UserError(
            "the text encoder's states are too large for half precision or no numbers; fetch its files again"
        )
    return states.half(), mask, pooled(states, mask)


def _latents(model: nn.Module, clip_id: str, clip: np.ndarray | Encoded, count: int, longest: int) -> torch.Tensor:
    """[C, T] of a clip of `count` samples, with silence up to `longest` samples."""
    codec = model.pretransform
    if isinstance(clip, Encoded):
        given = torch.from_numpy(clip.latents)
        if len(given) != model.io_channels:
            raise UserError(
                f"the latents of clip {clip_id} have {len(given)} channels and the model has {model.io_channels}; "
                "encode the sound with this model's autoencoder, or choose the model that they were made for"
            )
        silence = codec.encode(torch.zeros(1, 2, longest))[0]
        return torch.cat([given, silence[:, given.shape[1] :]], dim=1)
    if clip.shape[1] != count:
        raise ValueError(f"clip {clip_id} has {clip.shape[1]} samples where the manifest has {count}")
    return codec.encode(torch.nn.functional.pad(torch.from_numpy(clip), (0, longest - count))[None])[0]


def reconstruction_db(codec: nn.Module, audio: np.ndarray, *, phases: bool) -> float:
    """Mean absolute error of the log-mel spectrum in dB, after the latents or, with `phases`, after the whole decoder.

    `audio` is [2, samples]. The first is what PCA loses, the second adds Griffin-Lim.
    """
    with torch.no_grad():
        wanted = codec.log_mel(torch.from_numpy(audio)[None])
        latents = codec.encode(torch.from_numpy(audio)[None])
        got = codec.log_mel(codec.decode(latents)) if phases else codec.reconstruct(latents)
    return float((got - wanted).abs().mean() * DECIBELS)
