"""Exact draws of the ideal output's energies at a place of the map, and the statistics of their weights.

The model of the data. The log of a sample's energy over time is an AR(1) process; given it, channels and directions are
independent Gaussians with known variance, so E[v | x_t] is linear and exact (`toy_models.mixture` has the same
formula for one component). A direction of variance u = lambda mu has the mean square output

    g(u) = (t - (1 - t) u)^2 / ((1 - t)^2 u + t^2),

lambda being the energy at the position and mu the eigenvalue of the direction, log-normal with mean 1. Directions lie
generically across positions, so each position has C channels of variance G(lambda) = E_mu g(lambda mu), and its energy
is G(lambda) chi^2_C / C. Energies are drawn from that Gamma distribution without drawing channels.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from eisbach.barrier import belief
from predictions.weight_map import closed_forms
from predictions.weight_map.place import Place, envelope

_NODES, _MASSES = np.polynomial.hermite_e.hermegauss(41)
_MASSES = _MASSES / _MASSES.sum()
WIDEST = 4.0  # of `fit_spectrum`; the quadrature is accurate to 1e-3 there


@dataclass(frozen=True)
class Draws:
    """Samples at one place and t. `unevenness` is the variance over time of the log of the data's energy."""

    gap: np.ndarray  # [N], D in [0, 1]
    weight: np.ndarray  # [N], w in [0, 1]
    unevenness: np.ndarray  # [N]


def output_energy(energy: np.ndarray, t: float, spectrum: float) -> np.ndarray:
    """G: the expected energy of the ideal output, for data of expected energy `energy` (any shape), t in [0, 1]."""
    total = np.zeros_like(energy)
    for node, mass in zip(_NODES, _MASSES, strict=True):
        if spectrum or node == _NODES[0]:
            variance = energy * np.exp(spectrum * node - spectrum**2 / 2)
            share = mass if spectrum else 1.0
            total += share * (t - (1 - t) * variance) ** 2 / ((1 - t) ** 2 * variance + t**2)
    return total


def draw(place: Place, t: float, count: int, generator: np.random.Generator) -> Draws:
    """`count` samples at a place and t."""
    data = envelope(place, count, generator)
    shape = place.channels / 2
    energy = output_energy(data, t, place.spectrum) * generator.gamma(shape, 1 / shape, data.shape)
    found = belief(torch.from_numpy(np.sqrt(energy))[:, None])  # one channel of this square has the energy
    return Draws(found.gap.numpy(), found.weight.numpy(), np.log(data).var(axis=1))


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


def fit_spectrum(energy: np.ndarray, losses: dict[float, float]) -> float:
    """The spectrum whose ideal output has the mean energy that a held-out loss by t implies, 0..WIDEST.

    `energy` are expected energies of the data; `losses` maps t to the velocity loss. For the ideal output, the mean
    energy is E v^2 - loss = 1 + mean energy - loss. Least squares over the values of t.
    """
    wanted = {t: 1 + energy.mean() - loss for t, loss in losses.items()}

    def misfit(spectrum: float) -> float:
        return sum((output_energy(energy, t, spectrum).mean() - value) ** 2 for t, value in wanted.items())

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
