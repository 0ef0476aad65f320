"""The level of recorded clips, `prepare.level`: equal RMS of clips, Stability's loudness of files, or unchanged."""

import hashlib
from pathlib import Path

import numpy as np

from eisbach.data.clips import SAMPLE_RATE
from eisbach.data.recorded.types import Rules
from eisbach.seeds import numpy_generator

LUFS, SPREAD = -16.0, 2.0  # the target, and how far a file's own target may be from it on each side
SILENT = 1e-6  # mean power of a file that is left as it is
SHORTEST_SECONDS = 0.4  # a block of ITU-R BS.1770, whose loudness is defined from one block on
HEADROOM = 0.95  # peak of a file that would clip


def of_file(source: Path, wave: Path, rules: Rules) -> float | None:
    """The factor of all audio of the file `source`, decoded to `wave`; None where each clip has its own."""
    if rules.level == "rms":
        return None
    if rules.level == "source":
        return 1.0
    import soundfile
    import soxr

    sound, rate = soundfile.read(wave, dtype="float32", always_2d=True)
    sound = np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0)
    sound = sound if rate == SAMPLE_RATE else soxr.resample(sound, rate, SAMPLE_RATE)
    with source.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return loudness_gain(sound.T, float(numpy_generator(rules.seed, "loudness", content).random()))


def loudness_gain(sound: np.ndarray, draw: float) -> float:
    """The factor that brings audio [channels, samples] to LUFS, moved by `draw` in [0, 1) within +- SPREAD.

    That of `stable_audio_tools.data.utils.VolumeNorm`. Audio too short to have a loudness keeps its level, like
    silence.
    """
    import torch
    from torchaudio.functional import loudness

    if sound.shape[1] < SHORTEST_SECONDS * SAMPLE_RATE or np.mean(sound.astype(np.float64) ** 2) < SILENT:
        return 1.0
    found = loudness(torch.from_numpy(np.ascontiguousarray(sound)), SAMPLE_RATE).item()
    if not np.isfinite(found):
        return 1.0
    gain = 10 ** ((LUFS + (2 * draw - 1) * SPREAD - found) / 20)
    peak = float(np.abs(sound).max())
    return HEADROOM / peak if gain * peak > 1 else gain
