"""Encode clips and captions into latents and text states with a model's codec and text encoder."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import nn

from eisbach.data.clips import LatentClip
from eisbach.data.latents import Latents
from eisbach.errors import UserError
from eisbach.models.text import pooled

DECIBELS = 20 / np.log(10)  # dB per unit of the natural log of an amplitude


def encode(
    model: nn.Module, clips: Iterable[tuple[str, np.ndarray | LatentClip]], manifest: list[dict], batch: int = 64
) -> Latents:
    """Encode `clips`, (clip_id, audio [2, samples]) in the manifest's order; captions go in batches of `batch`.

    Clips shorter than the longest are padded with silence, where the mask is false. A LatentClip keeps its latents.
    Raises ValueError where ids or lengths differ from the manifest, UserError for latents with another number of
    channels than the model's and for text states that overflow half precision.
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
            raise ValueError(f"clip {clip_id} is where the manifest has {row['clip_id']}")
        with torch.no_grad():
            latents.append(_latents(model, clip_id, audio, count, max(samples)))
    mask = torch.arange(valid.max()) < valid[:, None]
    return Latents(pd.DataFrame(manifest), torch.stack(latents), mask, states, token_mask, sentences)


def longer_captions(encoder: nn.Module, captions: list[str]) -> dict[str, int]:
    """How many captions the text encoder cuts, the longest caption and the encoder's limit, in tokens."""
    lengths = encoder.lengths(captions)
    return {
        "captions_cut": sum(length > encoder.max_length for length in lengths),
        "longest_caption_tokens": max(lengths),
        "caption_tokens_limit": encoder.max_length,
    }


def _text(encoder: nn.Module, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token states [n, tokens, D] fp16, their mask [n, tokens] and sentence embeddings [n, D] of n captions."""
    states, mask = encoder.states(captions)
    if not states.half().isfinite().all():
        raise UserError(
            "the text encoder's states are not finite or too large for half precision; download its files again"
        )
    return states.half(), mask, pooled(states, mask)


def _latents(model: nn.Module, clip_id: str, clip: np.ndarray | LatentClip, count: int, longest: int) -> torch.Tensor:
    """Latents [C, T] of a clip of `count` samples, padded with silence to `longest` samples."""
    codec = model.pretransform
    if isinstance(clip, LatentClip):
        given = torch.from_numpy(clip.latents)
        if len(given) != model.io_channels:
            raise UserError(
                f"the latents of clip {clip_id} have {len(given)} channels and the model has {model.io_channels}; "
                "encode the audio with this model's autoencoder, or choose the model of these latents"
            )
        silence = codec.encode(torch.zeros(1, 2, longest))[0]
        return torch.cat([given, silence[:, given.shape[1] :]], dim=1)
    if clip.shape[1] != count:
        raise ValueError(f"clip {clip_id} has {clip.shape[1]} samples where the manifest has {count}")
    return codec.encode(torch.nn.functional.pad(torch.from_numpy(clip), (0, longest - count))[None])[0]


def reconstruction_db(codec: nn.Module, audio: np.ndarray, *, phases: bool) -> float:
    """Mean absolute error in dB of the log-mel spectrum of audio [2, samples] after encoding and decoding.

    Without `phases` the decoder stops at the spectrum, so this is the error of PCA; with `phases` the audio of
    Griffin-Lim is analysed again.
    """
    with torch.no_grad():
        original = codec.log_mel(torch.from_numpy(audio)[None])
        latents = codec.encode(torch.from_numpy(audio)[None])
        decoded = codec.log_mel(codec.decode(latents)) if phases else codec.reconstruct(latents)
    return float((decoded - original).abs().mean() * DECIBELS)
