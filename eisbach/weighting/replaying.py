"""The arms that replay another arm's factors without looking at the samples; their state is all they know of it."""

import torch
from torch import Tensor

from eisbach.barrier import widest_float
from eisbach.weighting.protocol import precision
from eisbach.weighting.registry import weighting

MOST_BINS = 65536


@weighting("trace", replays="step", has_state=True)
class Trace:
    """The followed arm's batch-mean factor, step by step: calibrate a step, then call it, or load a whole run."""

    def __init__(self):
        self.means: dict[int, float] = {}

    def calibrate(self, factor: Tensor, t: Tensor, step: int) -> None:
        """Keep the mean of the barrier arm's `factor` `[B]` for `step`. Raises ValueError if it has one already."""
        if step in self.means:
            raise ValueError(f"trace has a factor for step {step} already; count every call, or make a new arm")
        self.means[step] = _finite(factor).mean().item()

    def __call__(
        self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, *, step: int, **_
    ) -> Tensor:
        if step not in self.means:
            raise ValueError(f"trace has no factor for step {step}; calibrate it first, or load a run that long")
        return torch.full_like(t, self.means[step], dtype=precision(output))

    def state_dict(self) -> dict[str, Tensor]:
        """`step` and `mean`, `[steps]` each."""
        return {
            "step": torch.tensor(list(self.means), dtype=torch.int64),
            "mean": torch.tensor(list(self.means.values()), dtype=torch.float64),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.means = dict(zip(state["step"].tolist(), state["mean"].tolist(), strict=True))


@weighting("timestep", replays="run", has_state=True)
class Timestep:
    """E[factor given t], frozen: means over `bins` equal bins of t in [0, 1], joined by straight lines.

    Calibrate over as many batches as wanted; the first call freezes the curve. A bin's knot lies at
    the mean t of its samples, an empty bin has none, and the curve is constant outside the outermost knots.
    """

    def __init__(self, bins: int = 20):
        if bins < 1:
            raise ValueError(f"a curve needs one bin of t or more; got {bins}")
        if bins > MOST_BINS:
            raise ValueError(f"a curve has at most {MOST_BINS} bins of t; got {bins}")
        self.count = torch.zeros(bins, dtype=torch.float64)
        self.t = torch.zeros(bins, dtype=torch.float64)
        self.factor = torch.zeros(bins, dtype=torch.float64)
        self.frozen = False

    def calibrate(self, factor: Tensor, t: Tensor, step: int) -> None:
        """Add the barrier arm's `factor` `[B]` at times `t` `[B]` in [0, 1].

        Raises ValueError for other shapes and times, and once the curve is frozen.
        """
        if self.frozen:
            raise ValueError("the curve is frozen by its first use; calibrate before that, or make a new arm")
        if factor.shape != t.shape:
            raise ValueError(f"factor and t must both be [B]; got shapes {tuple(factor.shape)} and {tuple(t.shape)}")
        factor, t = _finite(factor), _finite(t)
        if ((t < 0) | (t > 1)).any():
            raise ValueError(f"t must lie in [0, 1]; got {t.min().item()} to {t.max().item()}")
        index = (t * len(self.count)).long().clamp(max=len(self.count) - 1)
        for total, values in ((self.count, torch.ones_like(t)), (self.t, t), (self.factor, factor)):
            total.index_add_(0, index, values)

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        filled = self.count > 0
        if not filled.any():
            raise ValueError("the curve is empty; calibrate it on the barrier arm's factors, or load its state")
        self.frozen = True
        knots, means = (total[filled] / self.count[filled] for total in (self.t, self.factor))
        wide = widest_float(t.device)
        curve = (values.to(wide).to(t.device) for values in (knots, means))
        return _interpolate(t.to(wide), *curve).to(precision(output))

    def state_dict(self) -> dict[str, Tensor]:
        """`count` and the sums `t` and `factor`, `[bins]` each, and whether the curve is `frozen`."""
        return {
            "count": self.count.clone(),
            "t": self.t.clone(),
            "factor": self.factor.clone(),
            "frozen": torch.tensor(self.frozen),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        if len(state["count"]) != len(self.count):
            raise ValueError(
                f"bins of t: {len(state['count'])} in the state, {len(self.count)} in this arm; make one with as many"
            )
        self.count, self.t, self.factor = (state[key].clone() for key in ("count", "t", "factor"))
        self.frozen = bool(state["frozen"])


@weighting("constant", replays="run", has_state=True)
class Constant(Timestep):
    """The frozen mean of the barrier's factor, for every sample: `timestep` with a single bin."""

    def __init__(self):
        super().__init__(bins=1)


def _finite(values: Tensor) -> Tensor:
    """`values` detached, in float64 on the CPU, as the state keeps them. Raises ValueError for NaN and inf."""
    values = values.detach().cpu().double()  # in this order: MPS has no float64
    if not values.isfinite().all():
        raise ValueError("an arm cannot be calibrated on NaN or inf; refuse such a step before calibrating")
    return values


def _interpolate(t: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Linear interpolation of (knots, values), `[N]` ascending, at `t` `[B]`; constant outside."""
    right = torch.searchsorted(knots, t).clamp(max=len(knots) - 1)
    left = (right - 1).clamp(min=0)
    width = torch.where(right > left, knots[right] - knots[left], 1)
    return torch.lerp(values[left], values[right], ((t - knots[left]) / width).clamp(max=1))
