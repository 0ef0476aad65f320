"""Weights of latents and what they promise: spread, effective sample size, contrast of two classes, references.

w at t = 0 is the weight of the clean latents: as t -> 0 the best prediction of noise - data is -data (for data with a
density), and Eq. 1 squares the sign away. So no model is needed.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from eisbach.barrier import Belief, belief, factor_of_weight
from eisbach.errors import UserError
from eisbach.gauge import Gauge
from eisbach.weigh.latents import Piece

LIKELY = 1.96  # standard errors of a 95 % interval


@dataclass(frozen=True)
class Weighed:
    """N samples: their weights `[N]` in float64, keys, and the corpus's size."""

    weight: Tensor
    keys: list[str]
    channels: int
    positions: float  # mean number of valid positions
    rms: float  # of all valid numbers
    dtype: str


@dataclass(frozen=True)
class Contrast:
    """Two classes, the lower mean weight first, and what the factor does to them (`share` in `contrast`)."""

    low: str
    high: str
    samples: tuple[int, int]
    weight_ratio: float  # high over low
    factor_ratio: float
    correlation: float  # of factor and class
    share: float  # of a full curriculum, from 0 to 1
    share_error: float  # its standard error


def weigh(pieces: Iterable[Piece]) -> Weighed:
    """The weight of every latent, one piece in memory at a time.

    Raises UserError for NaN or inf where valid, and where every number is 0.
    """
    weights, keys, positions, energy, count = [], [], 0, 0.0, 0
    for piece in pieces:
        latents, mask = piece.latents, piece.mask
        weights.append(belief(latents, mask).weight)
        if weights[-1].isnan().any():  # as the barrier promises
            key = piece.keys[int(weights[-1].isnan().nonzero()[0])]
            raise UserError(f"the latents {key} hold NaN or inf; encode them again or leave them out")
        kept = latents if mask is None else torch.where(mask.unsqueeze(1), latents, 0)
        energy += torch.linalg.vector_norm(kept, dtype=torch.float64).item() ** 2 / latents.shape[1]
        positions += math.prod(latents[:, 0].shape) if mask is None else int(mask.sum())
        count += len(latents)
        keys += piece.keys
    if energy == 0:
        raise UserError(f"all {count} latents are 0 at every valid position; encode the clips again")
    dtype, channels = str(latents.dtype).removeprefix("torch."), latents.shape[1]
    return Weighed(torch.cat(weights), keys, channels, positions / count, math.sqrt(energy / positions), dtype)


def statistics(weight: Tensor, lam: float) -> dict[str, float]:
    """The gauge's statistics of samples at one t, quantiles of w, and the factor's coefficient of variation.

    A single sample has no variation: its `factor_coefficient_of_variation` is NaN.
    """
    gauge = Gauge(bins=1)
    gauge.warned = True  # the sentence says it
    stats = Belief(weight, weight, weight, weight)  # the gauge reads the weight only
    gauge.update(None, None, torch.zeros(len(weight)), factor_of_weight(weight, lam), belief=stats)
    found = gauge.summary()
    low, middle, high = weight.quantile(torch.tensor([0.05, 0.5, 0.95], dtype=weight.dtype)).tolist()
    kept = ("mean_w", "coefficient_of_variation_w", "mean_factor", "factor_coefficient_of_variation")
    return {
        **{name: found[name] for name in kept},
        "effective_sample_share": found["effective_sample_share"],
        "w_5_percent": low,
        "w_median": middle,
        "w_95_percent": high,
    }


def contrast(weight: Tensor, labels: list[str], lam: float, classes: tuple[str, str] | None = None) -> Contrast:
    """The contrast of two classes, by default the two with the most samples.

    With the factor m, its mean over these samples and d = m / mean - 1, a full curriculum of the two classes is c = +1
    in the higher and -1 in the lower. d regressed on c has the slope

        share = CV(m) corr(m, c) / sd(c) = (mean of m in the higher - in the lower) / (2 mean of m),

    the share of the full curriculum that the factor carries out, to first order under AdamW (`eisbach.gauge`). With
    equal classes sd(c) = 1 and the share is at most CV(m). Raises UserError unless both classes have two samples.
    """
    counts = Counter(label for label in labels if label)
    chosen = classes or tuple(name for name, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:2])
    if len(chosen) < 2 or any(counts[name] < 2 for name in chosen):
        listed = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
        raise UserError(f"a contrast needs two classes of at least two samples; the labels have {listed}")
    members = [weight[torch.tensor([label == name for label in labels])] for name in chosen]
    (low, lower), (high, higher) = sorted(zip(chosen, members, strict=True), key=lambda one: one[1].mean().item())
    below, above = factor_of_weight(lower, lam), factor_of_weight(higher, lam)
    both = torch.cat([below, above])
    kind = torch.cat([-torch.ones_like(below), torch.ones_like(above)])
    error = (below.var() / len(below) + above.var() / len(above)).sqrt() / (2 * both.mean())
    correlation = torch.corrcoef(torch.stack([both, kind]))[0, 1].nan_to_num(0.0)
    return Contrast(
        low,
        high,
        (len(lower), len(higher)),
        (higher.mean() / lower.mean()).item() if lower.mean() > 0 else math.nan,
        (above.mean() / below.mean()).item() if below.mean() > 0 else math.nan,
        correlation.item(),
        ((above.mean() - below.mean()) / (2 * both.mean())).item() if both.mean() > 0 else math.nan,
        error.item(),
    )


def most_of_a_curriculum(spread: float, classes: Contrast | None) -> float:
    """An upper bound on the share of a full curriculum: the classes' share plus its 95 % margin, or the spread.

    Without labels the spread bounds the share for any two equal classes (`eisbach.gauge`).
    """
    return spread if classes is None else classes.share + LIKELY * classes.share_error


def white_noise_weight(channels: int, positions: float, rms: float = 1.0) -> float:
    """w of Gaussian white noise `[C, T]`: Eq. 4 of K / log T, from the cumulants of its energy; NaN where they diverge.

    The energy is rms^2 chi^2_C / C with cumulant function f(s) = -C/2 log(1 - a s), a = 2 rms^2 / C, and for long clips
    K = f'(1) - f(1) = rms^2 / (1 - a) + C/2 log(1 - a). To second order K = rms^4 / C. Finite for a < 1.
    """
    a = 2 * rms**2 / channels
    if a >= 1 or positions <= 1 or rms == 0:
        return math.nan if positions > 1 and rms else float(positions <= 1)
    divergence = rms**2 / (1 - a) + channels / 2 * math.log1p(-a)
    return 1 / (1 - math.log(min(1.0, divergence / math.log(positions))))


def weight_at_one(channels: int, positions: float) -> float:
    """w(1) = 1 / (1 + log(C log T)), up to the conditional mean: unit noise to second order; NaN where C log T < 1."""
    scale = channels * math.log(positions) if positions > 1 else 0.0
    return 1 / (1 + math.log(scale)) if scale >= 1 else math.nan
