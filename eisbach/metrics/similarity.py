"""The self-similarity matrix of a clip and what is read from it: blocks, dark zones, boundaries, recurrence.

S_ij = exp(-|x_i - x_j|^2 / (2 scale^2)) for features x [D, T]: 1 for equal moments, dark towards 0. The scale comes
from real clips, so an even clip is light all over instead of being stretched to its own range.
"""

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks
from scipy.spatial.distance import pdist, squareform

KERNEL_SECONDS = 1.5  # half width of the checkerboard
APART_SECONDS = 1.0  # least distance of boundaries
PROMINENCE = 0.1  # of a boundary in the novelty curve, whose range is 0..1
STRIPE_SECONDS, RECUR_SECONDS = 1.5, 2.0  # length of a theme; how much later it may count as returning
SMOOTH_SECONDS = 0.45
LEAST_RISE = 0.05  # of the lag curve, for a period


def distances(features: np.ndarray) -> np.ndarray:
    """[T, T] root mean square distances between the moments of features [D, T]."""
    return squareform(pdist(features.T)) / np.sqrt(len(features))


def smooth(features: np.ndarray, step: float) -> np.ndarray:
    """[D, T] running means over 0.45 s, so that notes do not hide sections."""
    return uniform_filter1d(features, max(1, round(SMOOTH_SECONDS / step)), axis=1, mode="nearest")


def matrix(features: np.ndarray, scale: float) -> np.ndarray:
    return np.exp(-np.square(distances(features)) / (2 * scale**2))


def lag_curve(similarity: np.ndarray) -> np.ndarray:
    """Mean similarity of moments that are k steps apart, for k from 0 to three quarters of the clip."""
    return np.array([np.diagonal(similarity, k).mean() for k in range(max(1, len(similarity) * 3 // 4))])


def block_scale(similarity: np.ndarray, step: float) -> float:
    """Side of the blocks in seconds: twice the lag at which the lag curve is half way down to its minimum.

    Exact for alternating blocks of equal length. A clip without dark zones is one block: its length.
    """
    curve = lag_curve(similarity)
    depth = curve[0] - curve.min()
    if depth < 1e-6:
        return len(similarity) * step
    below = int(np.argmax(curve <= curve[0] - depth / 2))
    before, after = curve[below - 1], curve[below]
    return float(2 * step * (below - 1 + (before - (curve[0] - depth / 2)) / (before - after)))


def dark_zones(similarity: np.ndarray, step: float) -> tuple[float, float]:
    """(regularity, period in seconds): the greatest rise of the lag curve after a dark zone, and the lag of its top.

    The lag curve is the beat spectrum of Foote and Uchihashi (2001); lags reach to half the clip, since a period has to
    come twice. The rise is in units of similarity: 1 less the darkness between, for a clip that repeats exactly, 0 when
    it never becomes more alike again. Over the curve's own depth it would be noise over noise in a clip without zones.
    The period of a rise under 0.05 is 0.
    """
    curve = lag_curve(similarity)[: len(similarity) // 2 + 1]
    rises = curve - np.minimum.accumulate(curve)
    back = int(np.argmax(rises))
    return float(rises[back]), back * step if rises[back] > LEAST_RISE else 0.0


def novelty(similarity: np.ndarray, step: float) -> np.ndarray:
    """Foote's (2000) novelty [T]: similarity within the past and the future less that between them, Gaussian weights.

    Between 0 and 1 for similarities in [0, 1] (negative values are cut); 0 near the ends, where half the kernel is
    missing, and for a clip shorter than the kernel.
    """
    count, half = len(similarity), round(KERNEL_SECONDS / step)
    curve = np.zeros(count)
    place = (np.arange(2 * half) + 0.5 - half) / half
    taper = np.exp(-2 * np.square(place))
    kernel = np.outer(taper * np.sign(place), taper * np.sign(place))
    kernel /= np.abs(kernel).sum() / 2
    for centre in range(half, count - half + 1):
        window = similarity[centre - half : centre + half, centre - half : centre + half]
        curve[min(centre, count - 1)] = max(0.0, (kernel * window).sum())
    return curve


def boundaries(novelty: np.ndarray, step: float) -> np.ndarray:
    """Steps at which a new section begins: peaks of the novelty that stand out by 0.1 and lie a second apart."""
    return find_peaks(novelty, distance=max(1, round(APART_SECONDS / step)), prominence=PROMINENCE)[0]


def segment_contrast(similarity: np.ndarray, boundaries: np.ndarray) -> float:
    """Mean similarity within sections less that between them; 0 for a single section."""
    section = np.searchsorted(boundaries, np.arange(len(similarity)), side="right")
    same = section[:, None] == section[None]
    if same.all():
        return 0.0
    return float(similarity[same].mean() - similarity[~same].mean())


def recurrence(similarity: np.ndarray, step: float) -> tuple[float, float]:
    """(recurrence, variation) of stretches of 1.5 s that come back at least 2 s later or earlier.

    A stretch's best return is the highest mean along a diagonal of the matrix. Recurrence: mean best return less the
    mean over all pairs of stretches, what similarity without a theme would give. Variation: 1 less the mean best
    return, 0 for exact copies. A clip too short for two stretches: (0, 0).
    """
    length, gap = round(STRIPE_SECONDS / step), round(RECUR_SECONDS / step)
    count = len(similarity) - length + 1
    if count <= gap:
        return 0.0, 0.0
    stripes = sum(similarity[k : k + count, k : k + count] for k in range(length)) / length
    lag = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    far = np.where(lag >= gap, stripes, -np.inf)
    best = far.max(1)
    best = best[np.isfinite(best)]
    return float(best.mean() - stripes[lag >= gap].mean()), float(1 - best.mean())
