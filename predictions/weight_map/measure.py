"""Measure where latents lie on the map."""

import math
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from eisbach.seeds import numpy_generator
from predictions.weight_map.place import Place, drawn_energy

FLOOR = 1e-6  # least variance of the relative energy that is white in time; it sets the largest number of channels
SIMULATED = 512  # samples drawn to find the heterogeneity


def place_of(latents: np.ndarray, mask: np.ndarray | None = None) -> Place:
    """The place of latents `[N, C, T]`, with `mask` `[N, T]` true at valid positions (None: all).

    From the energy's mean; its variance, between and within samples; its covariance at lags 1 and 2; and the spread
    between samples of the log of its variance within them.

    - `channels` is 2 / floor. The floor is the part of the relative energy's variance that is white in time, at most
      2 / C for C effective Gaussian channels.
    - `deviation` is that of the log-normal energy with the data's variance, after removing the floor.
    - `correlation` gives an AR(1) of T positions the data's share of variance within samples.
    - `heterogeneity` adds what the AR(1) lacks of the spread between samples of their own variance.
    - `spectrum` is 0: a held-out loss by t determines it (`sampling.fit_spectrum`).

    Raises ValueError where no sample has two valid positions, an entry is not finite or all are 0.
    """
    latents = np.asarray(latents, dtype=np.float64)
    mask = np.ones(latents[:, 0].shape, bool) if mask is None else np.asarray(mask, bool)
    keep = mask.sum(1) > 1
    if not keep.any():
        raise ValueError("latents need a sample with at least two valid positions")
    latents, mask = latents[keep], mask[keep]
    rows = latents.transpose(0, 2, 1)[mask]  # [valid positions, C]
    if not np.isfinite(rows).all() or not rows.any():
        raise ValueError("latents must be finite at valid positions, and not all 0")
    energy, counts = np.square(latents).mean(1), mask.sum(1)
    mean = energy[mask].mean()
    relative = np.where(mask, energy / mean - 1, 0)
    centred = np.where(mask, relative - relative.sum(1, keepdims=True) / counts[:, None], 0)
    total, own = np.square(relative[mask]).mean(), np.square(centred).sum(1) / counts
    floor = max(FLOOR, min(2 / effective_channels(rows), white_part(relative, mask)))
    variation = max(0.0, (1 + total) / (1 + floor) - 1)
    length = round(counts.mean())
    white = floor * (1 + variation) * (1 - len(counts) / counts.sum())  # within samples: their means keep 1/T of it
    share = max(0.0, np.average(own, weights=counts) - white) / variation if variation else 1.0
    deviation = math.sqrt(math.log1p(variation))
    place = Place(2 / floor, length, math.sqrt(mean), deviation, _correlation(share, length))
    relative_own = own * (mean / np.where(mask, energy, 0).sum(1) * counts) ** 2
    return replace(place, heterogeneity=_heterogeneity(place, relative_own))


def effective_channels(rows: np.ndarray) -> float:
    """(sum of eigenvalues)^2 / (sum of squared eigenvalues) of the second moments of `rows` [positions, C], 1..C.

    The variance of the energy of Gaussian channels with these eigenvalues is 2 / this number times its squared mean.
    """
    moments = rows.T @ rows
    return float(np.trace(moments) ** 2 / np.square(moments).sum())


def white_part(relative: np.ndarray, mask: np.ndarray) -> float:
    """The part of the variance of `relative` `[N, T]` that is white in time: c0 - c1^2 / c2, c_k the product at lag k.

    An AR(1) plus white noise has exactly this white part. All of c0 where c1 or c2 is not positive or not measurable.
    """
    lagged = [np.square(relative[mask]).mean()]
    for lag in (1, 2):
        both = mask[:, lag:] & mask[:, :-lag]
        lagged.append((relative[:, lag:] * relative[:, :-lag])[both].mean() if both.any() else 0.0)
    whole, first, second = lagged
    return whole - first**2 / second if min(first, second) > 0 else whole


def _correlation(share: float, length: int) -> float:
    """The AR(1) coefficient, in [0, .999], with which `length` positions have this share of variance within samples."""
    lags = np.arange(1, length)

    def within(rho: float) -> float:
        return 1 - (length + 2 * ((length - lags) * rho**lags).sum()) / length**2

    if share >= within(0.0):
        return 0.0
    if share <= within(0.999):
        return 0.999
    return float(brentq(lambda rho: within(rho) - share, 0.0, 0.999))


def _heterogeneity(place: Place, own: np.ndarray) -> float:
    """Half the standard deviation of log `own` `[N]` (variance / mean^2 per sample) beyond that of draws of `place`."""
    own = own[own > 0]
    if len(own) < 2 or place.deviation == 0:
        return 0.0
    drawn = drawn_energy(place, SIMULATED, numpy_generator(0, "heterogeneity"))
    alike = np.log(drawn.var(axis=1) / drawn.mean(axis=1) ** 2).var()
    return math.sqrt(max(0.0, np.log(own).var() - alike)) / 2
