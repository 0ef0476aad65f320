"""A place on the map: the statistics of latents that determine the weight, and the energies of such latents."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter


@dataclass(frozen=True)
class Place:
    """A point of the map. By default the latents are white, of unit variance, and all samples are alike."""

    channels: float  # C: the energy fluctuates from position to position as that of C independent Gaussian channels
    length: int  # T
    scale: float = 1.0  # rms of the latents; the noise has rms 1
    deviation: float = 0.0  # standard deviation of the log of the energy's expected value, over positions and samples
    correlation: float = 0.9  # of that log from one position to the next (AR(1)), in [0, 1)
    heterogeneity: float = 0.0  # standard deviation between samples of the log of their own deviation
    spectrum: float = 0.0  # log standard deviation of the data's eigenvalues over time and channels; 0: white

    @property
    def variation(self) -> float:
        """v, the squared coefficient of variation of the log-normal energy: exp(deviation^2) - 1."""
        return math.expm1(self.deviation**2)


def envelope(place: Place, count: int, generator: np.random.Generator) -> np.ndarray:
    """Expected energies of `count` samples, `[count, T]`: log-normal with mean scale^2, AR(1) in their log.

    A sample's deviation is log-normal too; its mean square is that of `place.deviation`.
    """
    steps = generator.standard_normal((count, place.length))
    own = generator.standard_normal((count, 1))
    steps[:, 1:] *= math.sqrt(1 - place.correlation**2)
    path = lfilter([1.0], [1.0, -place.correlation], steps, axis=1)
    deviation = place.deviation * np.exp(place.heterogeneity * own - place.heterogeneity**2)
    return place.scale**2 * np.exp(deviation * path - deviation**2 / 2)


def drawn_energy(place: Place, count: int, generator: np.random.Generator) -> np.ndarray:
    """Energies of `count` samples of data at a place, `[count, T]`."""
    return with_channels(envelope(place, count, generator), place, generator)


def with_channels(expected: np.ndarray, place: Place, generator: np.random.Generator) -> np.ndarray:
    """Energies of Gaussian channels with these expected energies (any shape): times chi^2_C / C."""
    return expected * generator.gamma(place.channels / 2, 2 / place.channels, expected.shape)
