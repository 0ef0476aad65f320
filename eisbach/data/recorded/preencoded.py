"""Latents that Stability's pre_encode_dataset.py made: NAME.npy [C, T] beside NAME.json, and silence.npy.

The JSON has at least `prompt`; `padding_mask` (one number a latent, 0 where the clip has ended) and `seconds_total`
are used where they are there. Long latents are cut into clips as sound is.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eisbach.data.recorded import measured
from eisbach.data.recorded.material import Piece, Rules, Unusable
from eisbach.data.scores.render import SAMPLE_RATE

SUFFIX = ".npy"
SILENCE = "silence.npy"
RATIO = 4096  # samples in a latent, of the released autoencoders and of the small codec


def pieces(path: Path, rules: Rules) -> Iterator[Piece]:
    """The clips of a file of latents that are long enough, in its order. Raises Unusable."""
    latents, samples = _latents(path)
    step = -(-round(rules.seconds * SAMPLE_RATE) // RATIO)
    if samples < rules.least_seconds * SAMPLE_RATE:
        raise Unusable("short", f"{samples / SAMPLE_RATE:.3g} s: at least {rules.least_seconds:g} are needed")
    for start in range(0, latents.shape[1], step):
        one = latents[:, start : start + step]
        seconds = min(one.shape[1] * RATIO, samples - start * RATIO) / SAMPLE_RATE
        if seconds < rules.least_seconds:
            continue
        written = io.BytesIO()
        np.save(written, np.ascontiguousarray(one), allow_pickle=False)
        facts = {"energy_range_db": round(measured.energy_range_db(one), 3)}
        yield Piece("npy", written.getvalue(), start * RATIO / SAMPLE_RATE, min(seconds, rules.seconds), facts)


def described(path: Path) -> dict:
    """The JSON beside a file of latents. Raises Unusable when it is missing or is no table of facts."""
    beside = path.with_suffix(".json")
    try:
        facts = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unusable("no caption", f"there is no {beside.name} beside it") from None
    except (OSError, ValueError) as error:
        raise Unusable("no caption", f"{beside.name} is not readable as JSON") from error
    if not isinstance(facts, dict):
        raise Unusable("no caption", f"{beside.name} is no JSON object")
    return facts


def _latents(path: Path) -> tuple[np.ndarray, int]:
    """The clip's latents [C, T] float32 without padding, and its length in samples."""
    try:
        latents = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Unusable("unreadable", "no array in NumPy's format") from error
    if latents.ndim != 2 or latents.dtype.kind != "f" or not latents.size:
        raise Unusable("unreadable", f"an array {latents.dtype}{latents.shape}, not latents [C, T]")
    facts = described(path)
    mask = facts.get("padding_mask", [1] * latents.shape[1])
    if len(mask) != latents.shape[1] or not any(mask):
        raise Unusable("unreadable", f"a padding_mask of {len(mask)} for {latents.shape[1]} latents")
    valid = len(mask) - mask[::-1].index(1)
    latents = latents[:, :valid].astype(np.float32)
    if not np.isfinite(latents).all():
        raise Unusable("not finite", "latents that are no finite numbers")
    most = valid * RATIO
    said = round(float(facts.get("seconds_total", most / SAMPLE_RATE)) * SAMPLE_RATE)
    return latents, said if most - RATIO < said <= most else most
