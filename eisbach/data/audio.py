"""Levels of audio and FLAC, for all corpora. Audio is [2, samples] in [-1, 1] at `clips.SAMPLE_RATE`."""

import io

import numpy as np

from eisbach.data.clips import SAMPLE_RATE
from eisbach.metrics import loudness

RMS_DB = -26.0  # of every whole clip, relative to full scale, so that mean level and contrast are separate
PEAK_DB = -0.1  # the clip is softer where its peak would exceed this; the manifest's rms_db has the result
FLOOR_DB = -90.0  # lower levels are raised to this


def normalise(audio: np.ndarray) -> np.ndarray:
    """Scale to an RMS of RMS_DB, or to a peak of PEAK_DB where the peak would exceed it. Silence stays silence."""
    rms, peak = np.sqrt(np.mean(audio**2)), np.abs(audio).max()
    if peak == 0:
        return audio
    return audio * min(_gain(RMS_DB) / rms, _gain(PEAK_DB) / peak)


def rms_db(audio: np.ndarray) -> float:
    """RMS of audio of any shape relative to full scale, at least FLOOR_DB."""
    return _rounded_db(np.mean(audio**2))


def measure_levels(audio: np.ndarray) -> dict[str, float]:
    """The manifest's columns of levels in dB: RMS and peak relative to full scale, and the loudness range.

    The loudness range is the 95th minus the 10th percentile of the RMS over 0.4 s, every 0.1 s.
    """
    levels = loudness.short_term_db(np.mean(audio**2, axis=0), SAMPLE_RATE, FLOOR_DB)
    return {
        "rms_db": rms_db(audio),
        "peak_db": _rounded_db(np.abs(audio).max() ** 2),
        "loudness_range_db": round(loudness.range_db(levels, 10), 3),
    }


def to_flac(audio: np.ndarray) -> bytes:
    """The bytes of a 16-bit FLAC file."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, audio.T, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _rounded_db(power: np.ndarray) -> float:
    return round(float(loudness.level_db(power, FLOOR_DB)), 3)


def _gain(db: float) -> float:
    return 10 ** (db / 20)
