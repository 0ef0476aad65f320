"""What the structure metrics need of one clip, from its log-mel spectrum: no phases, so no decoder either.

Latents of the small codec reconstruct a log-mel spectrum exactly; Griffin-Lim would add 3 dB of error and a second a
clip. Real clips pass through the codec's latents before they are compared with samples.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eisbach.errors import UserError

DECIBELS = 20 / np.log(10)  # natural log of an amplitude -> dB
FLOOR_DB = -80.0  # of a band: the codec's own floor
STEP_SECONDS = 4096 / 44100  # of slow features: one latent
FRAMES = 4  # of the spectrum in a step


@dataclass(frozen=True)
class Sound:
    """A clip of F frames, F = 4 T."""

    mel_db: np.ndarray  # [M, F] band amplitudes re full scale, floored at -80 dB
    level_db: np.ndarray  # [F] power over all bands
    centres_hz: np.ndarray  # [M]

    @cached_property
    def slow(self) -> np.ndarray:
        """[M, T] band amplitudes in dB, mean over the frames of a step."""
        mels, frames = self.mel_db.shape
        steps = max(1, frames // FRAMES)
        return self.mel_db[:, : steps * FRAMES].reshape(mels, steps, -1).mean(2)


def of_log_mel(log_mel: np.ndarray, filters: np.ndarray, rate: int = 44100) -> Sound:
    """Natural-log mel amplitudes [M, F] under `filters` [M, bins], whose rows are weighted means of bins.

    Raises UserError when there is no frame or a value is not finite: such a sample has no sound to measure.
    """
    if log_mel.shape[-1] == 0 or not np.isfinite(log_mel).all():
        raise UserError("the spectrum is empty or not finite: the model that made it has diverged")
    mel_db = np.maximum(DECIBELS * np.asarray(log_mel, np.float64), FLOOR_DB)
    bins = 1 / filters.max(1).clip(1e-12)  # half the base of a triangle: how many bins a band stands for
    power = (bins[:, None] * 10 ** (mel_db / 10)).sum(0)
    hertz = np.linspace(0, rate / 2, filters.shape[1])
    return Sound(mel_db, 10 * np.log10(power), filters @ hertz)
