"""How long and at which times a model is sampled: headroom in length and the schedule, as in Stability's `generate`."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from eisbach import flow
from eisbach.data.latents import Latents

SCHEDULES = ("training", "sampling")


def lengthened(model: nn.Module, clips: Latents, headroom: float) -> Latents:
    """`clips` with `headroom` seconds more to generate after each, and zeros as latents; unchanged for 0 seconds.

    The common length is the longest clip's duration plus headroom, rounded up to whole latents, or to the chunks of an
    autoencoder that has them; the mask grows by the whole latents of the headroom.
    """
    if headroom == 0:
        return clips
    codec = model.pretransform
    samples = int((clips.seconds.max().item() + headroom) * model.sample_rate)
    align = codec.downsampling_ratio * _chunk(codec)
    length = -(-samples // align) * align // codec.downsampling_ratio
    valid = clips.mask.sum(1) + int(headroom * model.sample_rate / codec.downsampling_ratio)
    return replace(
        clips,
        latents=torch.zeros(*clips.latents.shape[:2], length),
        mask=torch.arange(length) < valid.unsqueeze(1),
    )


def _chunk(codec: nn.Module) -> int:
    """Latents in a chunk of an encoder whose attention runs in chunks, otherwise 1."""
    encoder = getattr(getattr(codec, "model", None), "encoder", None)
    for index, layer in enumerate(getattr(encoder, "layers", [])):
        if hasattr(layer, "chunk_size") and getattr(layer, "sliding_window_latents", True) is None:
            stride = getattr(layer, "stride", None)
            if stride is None and len(getattr(encoder, "strides", ())) > index:
                stride = encoder.strides[index]
            return max(1, layer.chunk_size // stride) if stride else 1
    return 1


def times(model: nn.Module, clips: Latents, length: int, steps: int, schedule: str) -> Tensor:
    """Times from 1 down to 0 for `clips` sampled at `length` latents: `[steps + 1]`, or `[steps + 1, B]` for B lengths.

    "training" is the shift of `flow.schedule`; "sampling" is the shift that the model's configuration names for that,
    by default LogSNRShift(rate 0, -6.2, 2.0). Both shift by the clip's own length where the configuration says so
    (`use_effective_length_for_schedule`), otherwise by `length`. Raises ValueError when `steps` is less than 1 or
    `schedule` is unknown.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be {' or '.join(SCHEDULES)}, not {schedule!r}")
    own = [length]
    if model.use_effective_length_for_schedule:
        samples = [int(seconds * model.sample_rate) for seconds in clips.seconds.tolist()]
        own = [math.ceil(count / model.pretransform.downsampling_ratio) for count in samples]
    if len(set(own)) == 1:
        return _times(model, own[0], steps, schedule)
    return torch.stack([_times(model, each, steps, schedule) for each in own], 1)


def _times(model: nn.Module, length: int, steps: int, schedule: str) -> Tensor:
    if schedule == "training" and not model.use_effective_length_for_schedule:
        return flow.schedule(steps, length)
    shift = model.dist_shift if schedule == "training" else model.sampling_dist_shift
    shifted = shift.shift(
        flow.even(steps).float(), max(length, 1)
    )  # in fp32, as there: the DiT amplifies rounding of t
    shifted[0] = 1
    return shifted
