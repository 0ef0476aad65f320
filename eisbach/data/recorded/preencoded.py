"""Clips from files of latents that Stability's pre_encode_dataset.py wrote: NAME.npy [C, T], NAME.json, silence.npy.

The JSON needs `prompt`. `padding_mask` (one number a latent, 0 after the end of the clip) and `seconds_total` are used
where present. Long latents are cut into clips like audio.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eisbach.data.clips import SAMPLE_RATE
from eisbach.data.recorded import measured_contrast
from eisbach.data.recorded.types import ClipFile, Rules, Unusable

SUFFIX = ".npy"
SILENCE = "silence.npy"
RATIO = 4096  # audio samples a latent, in the released autoencoders and in the small codec


def clip_files(path: Path, rules: Rules) -> Iterator[ClipFile]:
    """Yield the clips of a file of latents that are long enough, in its order. Raises Unusable."""
    latents, samples = _latents(path)
    step = -(-round(rules.seconds * SAMPLE_RATE) // RATIO)
    if samples < rules.least_seconds * SAMPLE_RATE:
        raise Unusable("short", f"{samples / SAMPLE_RATE:.3g} s: at least {rules.least_seconds:g} are needed")
    for start in range(0, latents.shape[1], step):
        cut = latents[:, start : start + step]
        seconds = min(cut.shape[1] * RATIO, samples - start * RATIO) / SAMPLE_RATE
        if seconds < rules.least_seconds:
            continue
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(cut), allow_pickle=False)
        facts = {"energy_range_db": round(measured_contrast.energy_range_db(cut), 3)}
        start_seconds = start * RATIO / SAMPLE_RATE
        yield ClipFile("npy", buffer.getvalue(), start_seconds, min(seconds, rules.seconds), facts)


def read_description(path: Path) -> dict:
    """The JSON object of a file of latents. Raises Unusable when it is missing or not an object."""
    description = path.with_suffix(".json")
    try:
        facts = json.loads(description.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unusable("no caption", f"{description.name} is missing") from None
    except (OSError, ValueError) as error:
        raise Unusable("no caption", f"{description.name} is not readable as JSON") from error
    if not isinstance(facts, dict):
        raise Unusable("no caption", f"{description.name} is not a JSON object")
    return facts


def _latents(path: Path) -> tuple[np.ndarray, int]:
    """The latents [C, T] float32 without padding, and their length in audio samples."""
    try:
        latents = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Unusable("unreadable", "the file is not an array in NumPy's format") from error
    if latents.ndim != 2 or latents.dtype.kind != "f" or not latents.size:
        raise Unusable("unreadable", f"an array {latents.dtype}{latents.shape}, not latents [C, T]")
    facts = read_description(path)
    mask = facts.get("padding_mask", [1] * latents.shape[1])
    if len(mask) != latents.shape[1] or not any(mask):
        raise Unusable("unreadable", f"a padding_mask of length {len(mask)} for {latents.shape[1]} latents")
    valid = len(mask) - mask[::-1].index(1)
    latents = latents[:, :valid].astype(np.float32)
    if not np.isfinite(latents).all():
        raise Unusable("not finite", "some latents are not finite")
    longest = valid * RATIO
    samples = round(float(facts.get("seconds_total", longest / SAMPLE_RATE)) * SAMPLE_RATE)
    return latents, samples if longest - RATIO < samples <= longest else longest
