"""The spectrum of one clip, as the structure metrics use it. It needs no phases, hence no decoder.

Latents of the small codec reconstruct a log-mel spectrum in closed form. Decoding to audio with Griffin-Lim would add
3 dB of error and take one second per clip. Real clips pass through the codec's latents too, as samples do.

Two frame lengths occur: a mel frame of 23 ms, and a latent frame of four mel frames, 93 ms. The slow spectrum has one
column per latent frame.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eisbach.errors import UserError

DECIBELS = 20 / np.log(10)  # natural log of an amplitude -> dB
FLOOR_DB = -80.0  # of a band: the codec's floor
STEP_SECONDS = 4096 / 44100  # of a latent frame
MEL_FRAMES = 4  # per latent frame
DIVERGED = "the spectrum is empty or not finite: the model that made it has diverged"


@dataclass(frozen=True)
class Sound:
    """The spectrum of a clip of F mel frames and T latent frames, F = 4 T."""

    mel_db: np.ndarray  # [M, F] band amplitudes relative to full scale, at least -80 dB
    level_db: np.ndarray  # [F] power of all bands together
    centres_hz: np.ndarray  # [M] centre frequencies of the bands

    @cached_property
    def slow(self) -> np.ndarray:
        """[M, T] the slow spectrum: band amplitudes in dB, averaged over the mel frames of each latent frame."""
        mels, frames = self.mel_db.shape
        steps = max(1, frames // MEL_FRAMES)
        return self.mel_db[:, : steps * MEL_FRAMES].reshape(mels, steps, -1).mean(2)


def of_log_mel(log_mel: np.ndarray, filters: np.ndarray, rate: int = 44100) -> Sound:
    """The sound of natural-log mel amplitudes [M, F]. Rows of `filters` [M, bins] are weighted means of bins.

    `rate` is the sample rate of the audio in Hz. Raises UserError when there is no frame or a power is not finite.
    """
    mel_db = np.maximum(DECIBELS * np.asarray(log_mel, np.float64), FLOOR_DB)
    bins = 1 / filters.max(1).clip(1e-12)  # half the base of a triangular filter: the number of bins in a band
    with np.errstate(over="ignore"):
        power = (bins[:, None] * 10 ** (mel_db / 10)).sum(0)
    if power.size == 0 or not (np.isfinite(log_mel).all() and np.isfinite(power).all()):
        raise UserError(DIVERGED)
    hertz = np.linspace(0, rate / 2, filters.shape[1])
    return Sound(mel_db, 10 * np.log10(power), filters @ hertz)
