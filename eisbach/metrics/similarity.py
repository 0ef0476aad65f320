"""The self-similarity matrix of a clip, and metrics of it: blocks, dark zones, boundaries, recurrence.

S_ij = exp(-|x_i - x_j|^2 / (2 scale^2)) for features x [D, T]: 1 for equal frames, towards 0 ("dark") for different
ones. The scale is fitted on real clips and the same for all clips, so the matrix of a constant clip is 1 everywhere.

In this module `similarity` is a matrix [T, T] and `step` the duration of a frame in seconds.
"""

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks
from scipy.spatial.distance import pdist, squareform

KERNEL_SECONDS = 1.5  # half width of the checkerboard kernel
APART_SECONDS = 1.0  # minimum distance of two boundaries
PROMINENCE = 0.1  # minimum for a boundary in the novelty curve, whose range is 0..1
THEME_SECONDS, RECUR_SECONDS = 1.5, 2.0  # length of a theme; minimum lag at which it counts as returning
SMOOTH_SECONDS = 0.45
MIN_RISE = 0.05  # of the lag curve; a smaller rise has no period


def distances(features: np.ndarray) -> np.ndarray:
    """[T, T] root mean square distances between the frames of features [D, T]."""
    return squareform(pdist(features.T)) / np.sqrt(len(features))


def smooth(features: np.ndarray, step: float) -> np.ndarray:
    """[D, T] running means over 0.45 s: without them, single notes hide the sections."""
    return uniform_filter1d(features, max(1, round(SMOOTH_SECONDS / step)), axis=1, mode="nearest")


def matrix(features: np.ndarray, scale: float) -> np.ndarray:
    """The self-similarity matrix [T, T] of features [D, T], in 0..1."""
    return np.exp(-np.square(distances(features)) / (2 * scale**2))


def lag_curve(similarity: np.ndarray) -> np.ndarray:
    """Mean similarity of frames that are k steps apart, for k from 0 to three quarters of the clip."""
    return np.array([np.diagonal(similarity, k).mean() for k in range(max(1, len(similarity) * 3 // 4))])


def block_scale(similarity: np.ndarray, step: float) -> float:
    """Length of a block in seconds: twice the lag at which the lag curve has fallen half way to its minimum.

    Exact for alternating blocks of equal length. For a clip without dark zones: the length of the clip.
    """
    curve = lag_curve(similarity)
    depth = curve[0] - curve.min()
    if depth < 1e-6:
        return len(similarity) * step
    below = int(np.argmax(curve <= curve[0] - depth / 2))
    before, after = curve[below - 1], curve[below]
    return float(2 * step * (below - 1 + (before - (curve[0] - depth / 2)) / (before - after)))


def dark_zones(similarity: np.ndarray, step: float) -> tuple[float, float]:
    """(regularity, period in seconds): the largest rise of the lag curve after a minimum, and the lag of its maximum.

    The lag curve is the beat spectrum of Foote and Uchihashi (2001), up to half the clip, since a period has to occur
    twice. Regularity is a difference of similarities in 0..1: 1 minus the minimum for a clip that repeats exactly, 0
    when similarity never rises again. It is not divided by the depth of the curve: in a clip without dark zones that
    would be a ratio of two noises. The period is 0 for a rise of less than 0.05.
    """
    curve = lag_curve(similarity)[: len(similarity) // 2 + 1]
    rises = curve - np.minimum.accumulate(curve)
    back = int(np.argmax(rises))
    return float(rises[back]), back * step if rises[back] > MIN_RISE else 0.0


def novelty(similarity: np.ndarray, step: float) -> np.ndarray:
    """Novelty curve [T] of Foote (2000): similarity within past and future minus similarity between them.

    The checkerboard kernel has Gaussian weights. Values are in 0..1; negative ones become 0. The curve is 0 near both
    ends, where the kernel does not fit, and throughout a clip that is shorter than the kernel.
    """
    count, half = len(similarity), round(KERNEL_SECONDS / step)
    curve = np.zeros(count)
    offset = (np.arange(2 * half) + 0.5 - half) / half
    taper = np.exp(-2 * np.square(offset))
    kernel = np.outer(taper * np.sign(offset), taper * np.sign(offset))
    kernel /= np.abs(kernel).sum() / 2
    for centre in range(half, count - half + 1):
        window = similarity[centre - half : centre + half, centre - half : centre + half]
        curve[min(centre, count - 1)] = max(0.0, (kernel * window).sum())
    return curve


def boundaries(novelty: np.ndarray, step: float) -> np.ndarray:
    """Frame indices at which a section begins: peaks of the novelty curve, prominence 0.1 or more, 1 s apart."""
    return find_peaks(novelty, distance=max(1, round(APART_SECONDS / step)), prominence=PROMINENCE)[0]


def segment_contrast(similarity: np.ndarray, boundaries: np.ndarray) -> float:
    """Mean similarity within sections minus mean similarity between them; 0 for a single section."""
    section = np.searchsorted(boundaries, np.arange(len(similarity)), side="right")
    same = section[:, None] == section[None]
    if same.all():
        return 0.0
    return float(similarity[same].mean() - similarity[~same].mean())


def recurrence(similarity: np.ndarray, step: float) -> tuple[float, float]:
    """(recurrence, variation) of themes: windows of 1.5 s that return at least 2 s later or earlier.

    The return of a window is the largest mean similarity to another window, frame by frame. Recurrence: mean return
    minus the mean similarity of all pairs of windows. Variation: 1 minus the mean return; 0 for exact copies. Both are
    0 for a clip that is too short for two windows.
    """
    length, gap = round(THEME_SECONDS / step), round(RECUR_SECONDS / step)
    count = len(similarity) - length + 1
    if count <= gap:
        return 0.0, 0.0
    windows = sum(similarity[k : k + count, k : k + count] for k in range(length)) / length
    lag = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    far = np.where(lag >= gap, windows, -np.inf)
    best = far.max(1)
    best = best[np.isfinite(best)]
    return float(best.mean() - windows[lag >= gap].mean()), float(1 - best.mean())
