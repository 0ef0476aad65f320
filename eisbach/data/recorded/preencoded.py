"""Clips from files of latents that Stability's pre_encode_dataset.py wrote: NAME.npy [C, T], NAME.json, silence.npy.

The JSON needs `prompt`. `padding_mask` (one number a latent, 0 after the end of the clip) and `seconds_total` are used
where present and not null. Long latents are cut into clips like audio.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eisbach.data.clips import SAMPLE_RATE
from eisbach.data.recorded import measured_contrast, text
from eisbach.data.recorded.types import ClipFile, Rules, Unusable

SUFFIX = ".npy"
SILENCE = "silence.npy"
RATIO = 4096  # audio samples a latent, in the released autoencoders and in the small codec
LONGEST_SECONDS = 1e6  # eleven days: a larger number is no length of a piece


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
    name = text.printable(description.name)
    try:
        facts = json.loads(text.decode(description.read_bytes()))
    except FileNotFoundError:
        raise Unusable("no caption", f"{name} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise Unusable("no caption", f"{name} is not readable as JSON") from error
    if not isinstance(facts, dict):
        raise Unusable("no caption", f"{name} is not a JSON object")
    return facts


def channels(path: Path) -> int:
    """The number of channels of a file of latents. Raises Unusable when it holds none."""
    return _array(path).shape[0]


def _array(path: Path) -> np.ndarray:
    """The array [C, T] of a file, not yet read into memory. Raises Unusable."""
    try:
        latents = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # a damaged header raises many types; a pickle is not loaded
        raise Unusable("unreadable", "the file is not an array in NumPy's format") from error
    if latents.ndim != 2 or latents.dtype.kind != "f" or not latents.size:
        raise Unusable("unreadable", f"an array {latents.dtype}{latents.shape}, not latents [C, T]")
    return latents


def _latents(path: Path) -> tuple[np.ndarray, int]:
    """The latents [C, T] float32 without padding, and their length in audio samples."""
    latents = _array(path)
    facts = read_description(path)
    valid = _valid(facts.get("padding_mask"), latents.shape[1])
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, which is a fault
        latents = latents[:, :valid].astype(np.float32)
    if not np.isfinite(latents).all():
        raise Unusable("not finite", "some latents are not finite")
    longest = valid * RATIO
    seconds = facts.get("seconds_total")
    if seconds is None:
        return latents, longest
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < LONGEST_SECONDS:
        raise Unusable("unreadable", f"seconds_total is {_shown(seconds)}, not a number of seconds")
    samples = round(seconds * SAMPLE_RATE)
    return latents, samples if longest - RATIO < samples <= longest else longest


def _valid(mask: object, length: int) -> int:
    """The number of latents up to the last 1 of a padding mask; all where there is no mask. Raises Unusable."""
    if mask is None:
        return length
    if not isinstance(mask, list):
        raise Unusable("unreadable", f"padding_mask is {_shown(mask)}, not a list")
    if odd := [value for value in mask if not isinstance(value, bool | int | float) or value not in (0, 1)]:
        raise Unusable("unreadable", f"padding_mask has {_shown(odd[0])}, not only 0 and 1")
    if len(mask) != length or not any(mask):
        raise Unusable(
            "unreadable", f"padding_mask has {len(mask)} values, {sum(mask):g} of them 1, for {length} latents"
        )
    return len(mask) - mask[::-1].index(1)


def _shown(value: object) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
