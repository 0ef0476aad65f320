"""A gauge for a training loop: does the barrier's factor vary enough between samples to do anything?

    gauge = Gauge()
    for ...:                                                     # a step
        factor = barrier_factor(output, 0.5, mask)
        gauge.update(output, mask, t, factor)                    # no host synchronisation
    logger.log(gauge.summary())                                  # one copy to the host; warns once

`update` adds to sums that stay on the device of `t`; it needs torch alone and compiles without graph breaks. Pass the
step's `eisbach.barrier.belief`, where you have it, and it costs less than the barrier. Any weighting's factor can be
gauged; w is always the barrier's.

Why the spread matters. Write a factor as m = mean (1 + d): d has mean 0, its standard deviation s is the coefficient of
variation. AdamW ignores the mean (up to eps and clipping), so only d acts, through the mean of d times the gradient. A
full curriculum doubles the weight of one half of the samples and drops the other: d = c, where c is +1 or -1. The
slope of the regression of d on c is the share of the full curriculum that the factor carries out, and by
Cauchy-Schwarz it is at most s: a factor that varies by 1 % does at most a hundredth of any full curriculum. The rest of
d is uncorrelated with c; the response to it is neglected, as are effects of second order in s.
"""

import math
import warnings

import torch
from torch import Tensor

from eisbach import barrier
from eisbach.barrier import Belief, check_mask, widest_float

__all__ = ["NEARLY_CONSTANT", "Gauge"]

NEARLY_CONSTANT = 0.05  # coefficient of variation below which a factor does at most a twentieth of a full curriculum
LEAST_SAMPLES = 100  # before a warning

# Sums of each bin of t: samples, then first and second moments of w, the factor m and the loss l, about `_centre`.
_MOMENTS = ("n", "w", "ww", "m", "mm", "l", "ll", "ml")


class Gauge:
    """Statistics of w and of the factor since the start, or since `reset`, over all samples and in bins of t.

    `bins` divides [0, 1] into equal bins of t. With the census's values of t (20, evenly spaced, one in each of 20
    bins), the numbers of `summary` equal those of `eisbach.inference.weight_stats.summary` under the same names.
    """

    def __init__(self, bins: int = 20):
        if bins < 1:
            raise ValueError(f"bins must be at least 1; got {bins}")
        self.bins = bins
        self.warned = False
        self.reset()

    def reset(self) -> None:
        """Forget all samples; a warning that was given is not repeated."""
        self._sums: Tensor | None = None  # [bins, moments]
        self._centre: Tensor | None = None  # [3]: w, m and l near which the moments are taken, so that nothing cancels
        self._left_out: Tensor | None = None  # [], samples that were not finite
        self._has_loss = False

    @torch.no_grad()
    def update(
        self,
        output: Tensor | None,
        mask: Tensor | None,
        t: Tensor,
        factor: Tensor,
        *,
        belief: Belief | None = None,
        loss: Tensor | None = None,
    ) -> None:
        """Add a batch: the model's output `[B, C, *positions]`, its mask or None, t `[B]` in [0, 1], factor `[B]`.

        `belief` of the same output saves its computation; `output` and `mask` are then not read. `loss` `[B]`, each
        sample's before the factor, adds its correlation with the factor; give it at every step or never. A sample whose
        weight, factor or loss is not finite is counted and left out. Raises ValueError for wrong shapes.
        """
        if belief is None:
            if output is None:
                raise ValueError("give either output or belief")
            check_mask(output, mask)
            belief = barrier.belief(output, mask)
        t = t.reshape(-1) if t.dim() > 1 else t
        parts = [belief.weight, factor, t] if loss is None else [belief.weight, factor, t, loss]
        if any(part.shape != t.shape for part in parts):
            raise ValueError(f"weight, factor, t and loss must be [B]; got {[tuple(part.shape) for part in parts]}")
        dtype = widest_float(t.device)
        values = torch.stack([part.to(dtype) for part in (*parts[:2], loss if loss is not None else t)])  # [3, B]
        finite = values.isfinite().all(0)
        values = torch.where(finite, values, 0)
        if self._sums is None:
            self._sums = torch.zeros(self.bins, len(_MOMENTS), dtype=dtype, device=t.device)
            self._centre = values.sum(1) / finite.sum().clamp(min=1)
            self._left_out = torch.zeros((), dtype=dtype, device=t.device)
        w, m, other = torch.where(finite, values - self._centre.unsqueeze(1), 0)
        moments = torch.stack([finite.to(dtype), w, w * w, m, m * m, other, other * other, m * other], dim=1)
        index = (t * self.bins).clamp(0, self.bins - 1).floor()
        in_bin = (index == torch.arange(self.bins, device=t.device).unsqueeze(1)).to(dtype)  # [bins, B]
        self._sums += in_bin @ moments
        self._left_out += (~finite).sum()
        self._has_loss = loss is not None

    def summary(self) -> dict[str, float]:
        """The statistics as plain numbers, `{}` before the first sample; one copy to the host.

        Names with `_at_one_t` are means over the bins of t of the statistic inside a bin. NaN where a statistic is not
        defined: no sample in a bin, one sample, or no variation. `factor_loss_correlation...` only if losses were
        given. Warns once, after 100 samples, when the factor's coefficient of variation is below `NEARLY_CONSTANT`.
        """
        if self._sums is None:
            return {}
        sums, centre, left_out = _to_host(self._sums, self._centre, self._left_out)
        facts = _statistics(sums, *centre) if sums[:, 0].sum() else {}
        if not self._has_loss:
            facts = {name: value for name, value in facts.items() if "loss" not in name}
        facts = {**facts, "samples": sums[:, 0].sum().item(), "samples_not_finite": left_out}
        self._warn(facts)
        return facts

    def _warn(self, facts: dict[str, float]) -> None:
        spread = facts.get("factor_coefficient_of_variation", math.nan)
        if self.warned or facts["samples"] < LEAST_SAMPLES or not spread < NEARLY_CONSTANT:
            return
        self.warned = True
        warnings.warn(
            f"the factor is a constant in all but name: over {facts['samples']:.0f} samples it varies by "
            f"{100 * spread:.2g} % about its mean {facts['mean_factor']:.3g}; AdamW ignores the mean, so expect at "
            f"most {100 * spread:.2g} % of the effect of a full curriculum",
            stacklevel=3,
        )


def _to_host(sums: Tensor, centre: Tensor, left_out: Tensor) -> tuple[Tensor, list[float], float]:
    """The three tensors in float64 on the host, copied together."""
    flat = torch.cat([sums.flatten(), centre, left_out.view(1)]).to("cpu").double()
    return flat[: sums.numel()].view(sums.shape), flat[sums.numel() : -1].tolist(), flat[-1].item()


def _statistics(sums: Tensor, w0: float, m0: float, l0: float) -> dict[str, float]:
    """The statistics of moments `[bins, moments]` about w0, m0 and l0; names as in `weight_stats.summary`."""
    whole, at_t = dict(zip(_MOMENTS, sums.sum(0), strict=True)), sums[sums[:, 0] > 0]
    inside = dict(zip(_MOMENTS, at_t.T, strict=True))
    mean_w, mean_m = w0 + whole["w"] / whole["n"], m0 + whole["m"] / whole["n"]
    means = w0 + inside["w"] / inside["n"]  # of w in each bin
    between = (inside["n"] * (means - mean_w).square()).sum()
    deviation = _squares(whole, "w", "w")
    low = (sums[:, 0] > 0).nonzero().flatten() + 1 <= 0.2 * len(sums) + 1e-9
    high = (sums[:, 0] > 0).nonzero().flatten() >= 0.8 * len(sums) - 1e-9
    found = {
        "mean_w": mean_w,
        "mean_factor": mean_m,
        "coefficient_of_variation_w": (deviation / (whole["n"] - 1)).sqrt() / mean_w,
        "effective_sample_share": _kish(whole, m0),
        "effective_sample_share_at_one_t": _kish(inside, m0).mean(),
        "factor_coefficient_of_variation": _variation(whole, m0),
        "factor_coefficient_of_variation_at_one_t": _variation(inside, m0).nanmean(),
        "share_of_w_variance_from_t": between / deviation if deviation > 0 else torch.tensor(math.nan),
        "mean_w_t_below_0.2": _mean_of(inside, w0, low),
        "mean_w_t_above_0.8": _mean_of(inside, w0, high),
        "factor_loss_correlation": _correlation(whole),
        "factor_loss_correlation_at_one_t": _correlation(inside).nanmean(),
    }
    return {name: float(value) for name, value in found.items()}


def _squares(sums: dict[str, Tensor], one: str, other: str) -> Tensor:
    """Sum of products of deviations from the means, at least 0 for squares."""
    found = sums[one + other] - sums[one] * sums[other] / sums["n"]
    return found.clamp(min=0) if one == other else found


def _variation(sums: dict[str, Tensor], m0: float) -> Tensor:
    """The factor's coefficient of variation with n - 1, NaN for one sample."""
    variance = torch.where(sums["n"] > 1, _squares(sums, "m", "m") / (sums["n"] - 1), math.nan)
    return variance.sqrt() / (m0 + sums["m"] / sums["n"])


def _kish(sums: dict[str, Tensor], m0: float) -> Tensor:
    """Kish's effective sample size of the factor as a share of the samples: 1 / (1 + CV^2) with n in the variance."""
    mean = m0 + sums["m"] / sums["n"]
    return 1 / (1 + _squares(sums, "m", "m") / sums["n"] / mean.square())


def _mean_of(inside: dict[str, Tensor], w0: float, bins: Tensor) -> Tensor:
    return w0 + inside["w"][bins].sum() / inside["n"][bins].sum()


def _correlation(sums: dict[str, Tensor]) -> Tensor:
    """Pearson's correlation of factor and loss, NaN where one of them does not vary."""
    scale = (_squares(sums, "m", "m") * _squares(sums, "l", "l")).sqrt()
    return torch.where(scale > 0, _squares(sums, "m", "l") / scale, math.nan)
