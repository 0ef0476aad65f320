"""First measures of musical structure: arrays in, numbers out. Table 2 of the paper names them."""

import librosa
import numpy as np
from scipy.spatial import ConvexHull, QhullError

SILENCE_DB = -80.0  # levels below count as this: the codec's own floor


def dynamic_range_db(audio: np.ndarray, rate: int = 44100) -> float:
    """Distance in dB of the 95th and the 5th percentile of the level in 0.4 s windows.

    `audio` is [samples] or [channels, samples]. Silence gives 0.
    """
    mono = np.atleast_2d(audio).mean(0)
    window = int(0.4 * rate)
    level = librosa.feature.rms(y=mono, frame_length=window, hop_length=window // 4, center=False)[0]
    level = np.maximum(librosa.amplitude_to_db(level, ref=1.0, amin=1e-10, top_db=None), SILENCE_DB)
    low, high = np.percentile(level, [5, 95])
    return float(high - low)


def spectral_contrast_db(audio: np.ndarray, rate: int = 44100) -> float:
    """Mean over time and octave bands of the spectrum's peak-to-valley distance in dB (librosa)."""
    mono = np.atleast_2d(audio).mean(0)
    return float(librosa.feature.spectral_contrast(y=mono, sr=rate, n_fft=4096, hop_length=1024).mean())


def principal_plane(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [C] and the first two principal directions [2, C] of positions pooled from real latents [N, C, T]."""
    positions = np.asarray(latents, dtype=np.float64).transpose(0, 2, 1).reshape(-1, latents.shape[1])
    mean = positions.mean(0)
    values, vectors = np.linalg.eigh(np.cov(positions, rowvar=False))
    return mean, vectors[:, np.argsort(values)[::-1][:2]].T


def trajectory_area(latents: np.ndarray, plane: tuple[np.ndarray, np.ndarray]) -> float:
    """Area of the convex hull that one clip's latents [C, T] sweep in a plane fitted on real data."""
    mean, directions = plane
    path = (np.asarray(latents, dtype=np.float64).T - mean) @ directions.T
    try:
        return float(ConvexHull(path).volume)  # in two dimensions qhull calls the area volume
    except QhullError:  # all positions on a line: it sweeps nothing
        return 0.0


def participation_ratio(latents: np.ndarray) -> float:
    """Effective number of dimensions of one clip's trajectory [C, T]: (sum of variances)^2 / sum of squares; 1..C."""
    covariance = np.cov(np.asarray(latents, dtype=np.float64))
    trace = np.trace(covariance)
    return float(trace**2 / np.square(covariance).sum()) if trace > 0 else 1.0
