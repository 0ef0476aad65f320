"""Draws of the ideal output's energies at a place of the map, and the statistics of their weights.

The model of the data. The log of a sample's energy over time is an AR(1) process; given it, channels and directions are
independent Gaussians with known variance, so E[v | x_t] is linear and exact (`toy_models.mixture` has the same
formula for one component). A direction of variance u = lambda mu leaves the loss u / ((1 - t)^2 u + t^2), lambda being
the expected energy at the position and mu the eigenvalue of the direction, log-normal with mean 1. Directions lie
generically across positions, so a position's loss is the mean over mu, and `posterior` draws its energy from that.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from eisbach.barrier import belief
from predictions.weight_map import closed_forms, posterior
from predictions.weight_map.place import Place, envelope, with_channels

_NODES, _MASSES = np.polynomial.hermite_e.hermegauss(41)
_MASSES = _MASSES / _MASSES.sum()
WIDEST = 4.0  # of `fit_spectrum`; the quadrature is accurate to 1e-3 there


@dataclass(frozen=True)
class Draws:
    """Samples at one place and t. `unevenness` is the variance over time of the log of the data's energy."""

    gap: np.ndarray  # [N], D in [0, 1]
    weight: np.ndarray  # [N], w in [0, 1]
    unevenness: np.ndarray  # [N]


def ideal_loss(expected: np.ndarray, t: float, spectrum: float) -> np.ndarray:
    """The loss that the ideal output leaves at expected energies of the data (any shape), t in [0, 1]."""
    if not spectrum:
        return posterior.linear_loss(expected, t)
    variances = (np.maximum(expected, posterior.LEAST) * np.exp(spectrum * node - spectrum**2 / 2) for node in _NODES)
    return sum(mass / ((1 - t) ** 2 + t**2 / one) for mass, one in zip(_MASSES, variances, strict=True))


def draw(
    place: Place, t: float, count: int, generator: np.random.Generator, loss: Callable[..., np.ndarray] | None = None
) -> Draws:
    """`count` samples at a place and t. `loss` gives the losses `[count, T]` at expected energies; None: the ideal."""
    expected = envelope(place, count, generator)
    left = ideal_loss(expected, t, place.spectrum) if loss is None else loss(expected)
    clean = with_channels(expected, place, generator)
    energy = posterior.output_energy(clean, expected, left, t, place.channels, generator)
    gap, weight = weights(energy)
    return Draws(gap, weight, np.log(expected).var(axis=1))


def weights(energy: np.ndarray, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """D and w, `[N]` each, of energies `[N, T]` with `mask` `[N, T]` true at valid positions (None: all)."""
    one_channel = torch.from_numpy(np.sqrt(energy))[:, None]  # its square is the energy
    found = belief(one_channel, None if mask is None else torch.from_numpy(mask))
    return found.gap.numpy(), found.weight.numpy()


def spread(weights: np.ndarray, lam: float) -> dict[str, float]:
    """Mean of w `[N]`, mean, coefficient of variation and effective sample share of the factor; `_se`: standard errors.

    The error of the coefficient of variation is the jackknife's.
    """
    factors = 1 - lam + lam * weights
    variation, error = _jackknife(factors)
    return {
        "w": weights.mean(),
        "w_se": weights.std(ddof=1) / np.sqrt(len(weights)),
        "factor": factors.mean(),
        "factor_cv": variation,
        "factor_cv_se": error,
        "effective_share": closed_forms.effective_share(variation),
    }


def measured(weights: np.ndarray, lam: float) -> dict[str, float]:
    """`spread` of measured weights `[N]`, with names that begin with `measured_`."""
    return {f"measured_{name}": value for name, value in spread(weights, lam).items()}


def statistics(draws: Draws, lam: float) -> dict[str, float]:
    """`spread` of the weights, standard deviation of the log of positive gaps, and ratio of the classes' mean weights.

    The classes are the upper and the lower third of the samples by unevenness; their ratio is NaN where all are equal.
    Its error is by the delta method.
    """
    positive = draws.gap[draws.gap > 0]
    gap_deviation = np.log(positive).std() if len(positive) else np.nan
    result = spread(draws.weight, lam) | {"gap_deviation": gap_deviation}
    low, high = np.quantile(draws.unevenness, [1 / 3, 2 / 3])
    if high == low:
        return result | {"class_ratio": np.nan, "class_ratio_se": np.nan}
    flat, contrast = draws.weight[draws.unevenness <= low], draws.weight[draws.unevenness >= high]
    ratio = contrast.mean() / flat.mean()
    relative = [one.var(ddof=1) / len(one) / one.mean() ** 2 for one in (flat, contrast)]
    return result | {"class_ratio": ratio, "class_ratio_se": ratio * np.sqrt(sum(relative))}


def fit_spectrum(expected: np.ndarray, losses: dict[float, float]) -> float:
    """The spectrum whose ideal output leaves a held-out loss by t, 0..WIDEST; least squares over the values of t.

    `expected` are expected energies of the data; `losses` maps t to the velocity loss.
    """

    def misfit(spectrum: float) -> float:
        return sum((ideal_loss(expected, t, spectrum).mean() - loss) ** 2 for t, loss in losses.items())

    return float(minimize_scalar(misfit, bounds=(0, WIDEST), method="bounded").x)


def _jackknife(values: np.ndarray) -> tuple[float, float]:
    """The coefficient of variation of values [N] >= 0 and its standard error; NaN where all are 0."""
    count, mean = len(values), values.mean()
    if mean == 0:
        return np.nan, np.nan
    squares = np.square(values - mean).sum()
    means = (values.sum() - values) / (count - 1)
    variances = (squares - np.square(values - mean) * count / (count - 1)) / (count - 2)
    left_out = np.sqrt(np.maximum(variances, 0)) / means
    whole = np.sqrt(squares / (count - 1)) / mean
    return float(whole), float(np.sqrt((count - 1) / count * np.square(left_out - left_out.mean()).sum()))
