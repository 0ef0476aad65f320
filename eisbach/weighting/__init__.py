"""The arms: what may multiply a sample's loss. Each is a callable with one signature, found by name.

    factor = weighting(output, target, t, mask, clean=clean, step=step)        [B], float32 or better

`output`, `target` `[B, C, *positions]`: the model's velocity, with its graph, and noise - data. `t` `[B]`: the time,
1 is pure noise. `mask` `[B, *positions]`, boolean, true where valid, or None. `clean`: the clean sample, shaped like
`output`; only `oracle` looks at it. It is an argument of its own, although target and noised input determine it, so
that a signature shows which arm looks at the data: the minimiser of such an arm is no longer E[v | x_t]. `step`
counts calls from 0, one per micro-batch where gradients are accumulated; `shuffled` and `trace` use it.

The factor carries no gradient, except in `attached` (to the model) and `edm2` (to its own parameters).

    arm = make("barrier", lam=0.5)

    @weighting("mine")                                # a new arm: a class whose instances are called
    @dataclass(frozen=True)
    class Mine:
        power: float = 1.0
        def __call__(self, output, target, t, mask=None, **_): return t**self.power

Arms that replay the barrier are calibrated on the factors of a barrier arm: `arm.calibrate(factor, t, step)`. They
know nothing else about it. The factors come from the same run (arms of a seed train side by side: call the barrier
arm, hand its factor over, call the follower) or, for all three, from an earlier one, by `state_dict` and
`load_state_dict`. A state is a flat dictionary of tensors, fit for safetensors.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eisbach.barrier import barrier_factor, check_lam, check_reduction, widest_float
from eisbach.seeds import torch_generator

Weighting = Callable[..., Tensor]
_registry: dict[str, Callable[..., Weighting]] = {}


def weighting(name: str) -> Callable:
    """Decorator: register a class of weightings under `name`. Raises ValueError if the name is taken."""

    def register(factory: Callable[..., Weighting]) -> Callable[..., Weighting]:
        if name in _registry:
            raise ValueError(f"a weighting named '{name}' exists already; choose another name")
        _registry[name] = factory
        return factory

    return register


def names() -> list[str]:
    """The registered names, in the order of registration."""
    return list(_registry)


def followers() -> list[str]:
    """The names of the arms that replay another: they have `calibrate` and need the factors of the arm they follow."""
    return [name for name, factory in _registry.items() if hasattr(factory, "calibrate")]


def settings_of(name: str) -> list[str]:
    """The settings that `make` takes for a registered name."""
    return list(inspect.signature(_registry[name]).parameters)


def make(name: str, **settings) -> Weighting:
    """The weighting registered as `name`. Raises ValueError for an unknown name or setting, listing the known ones."""
    if name not in _registry:
        raise ValueError(f"unknown weighting '{name}'; known are {', '.join(_registry)}")
    known = settings_of(name)
    if unknown := sorted(set(settings) - set(known)):
        raise ValueError(f"weighting '{name}' has no setting {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    return _registry[name](**settings)


def of_run(name: str, seed: int, /, **settings) -> Weighting:
    """`make` for the run of a seed: a weighting that draws (`shuffled`, `edm2`) draws from it, unless told another."""
    draws = name in _registry and "seed" in inspect.signature(_registry[name]).parameters
    return make(name, **({"seed": seed} if draws else {}) | settings)


# The barrier and the arms that need nothing but the batch. All factors are [B].


@weighting("baseline")
@dataclass(frozen=True)
class Baseline:
    """Factor 1: the plain loss."""

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        return torch.ones_like(t, dtype=torch.promote_types(output.dtype, torch.float32))


@weighting("barrier")
@dataclass(frozen=True)
class Barrier:
    """Eq. 5 with strength `lam` in [0, 1]; `reduction` "sample" or "batch"."""

    lam: float = 0.5
    reduction: str = "sample"

    def __post_init__(self):
        check_lam(self.lam)
        check_reduction(self.reduction)

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        return barrier_factor(output, self.lam, mask, reduction=self.reduction)


@weighting("attached")
@dataclass(frozen=True)
class Attached(Barrier):
    """Eq. 5 without the detach: the weight's own gradient joins the model's."""

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        return barrier_factor(output, self.lam, mask, reduction=self.reduction, detach=False)


@weighting("shuffled")
@dataclass(frozen=True)
class Shuffled:
    """The barrier's factors, permuted uniformly within the batch; the permutation belongs to (seed, step).

    The batch keeps its factors, the samples lose theirs. With a batch of one nothing can be permuted.
    """

    lam: float = 0.5
    seed: int = 0

    def __post_init__(self):
        check_lam(self.lam)

    def __call__(
        self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, *, step: int, **_
    ) -> Tensor:
        factor = barrier_factor(output, self.lam, mask)
        return factor[self.order(len(factor), step).to(factor.device)]

    def order(self, count: int, step: int) -> Tensor:
        """The permutation of a batch of `count` at `step`, `[count]`, on the CPU."""
        return torch.randperm(count, generator=torch_generator(self.seed, "shuffled", step))


@weighting("inverse")
@dataclass(frozen=True)
class Inverse:
    """The barrier's factors with their ranks reversed: the sample with the largest gets the smallest."""

    lam: float = 0.5

    def __post_init__(self):
        check_lam(self.lam)

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        return reverse_ranks(barrier_factor(output, self.lam, mask))


@weighting("oracle")
@dataclass(frozen=True)
class Oracle:
    """Eq. 5 on the clean sample's own energies: the positive control, which looks at the data."""

    lam: float = 0.5

    def __post_init__(self):
        check_lam(self.lam)

    def __call__(
        self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, *, clean: Tensor, **_
    ) -> Tensor:
        return barrier_factor(clean, self.lam, mask)


def reverse_ranks(factor: Tensor) -> Tensor:
    """The same values along the last axis, the smallest where the largest was; equal values count in their order."""
    ranks = factor.argsort(dim=-1, stable=True).argsort(dim=-1)
    return factor.sort(dim=-1, descending=True).values.gather(-1, ranks)


# The arms that replay the barrier without looking at the samples; their state is all they know of it.


@weighting("trace")
class Trace:
    """The barrier's batch-mean factor, replayed step by step: calibrate a step, then call it, or load a whole run."""

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
        return torch.full_like(t, self.means[step], dtype=_precision(output))

    def state_dict(self) -> dict[str, Tensor]:
        """`step` and `mean`, `[steps]` each."""
        return {
            "step": torch.tensor(list(self.means), dtype=torch.int64),
            "mean": torch.tensor(list(self.means.values()), dtype=torch.float64),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.means = dict(zip(state["step"].tolist(), state["mean"].tolist(), strict=True))


@weighting("timestep")
class Timestep:
    """E[factor given t], frozen: means over `bins` equal bins of t in [0, 1], joined by straight lines.

    Calibrate over as many batches as wanted; the first call freezes the curve. Each bin's knot stands at the mean t
    of what fell into it, an empty bin has none, and the curve is level outside the outermost knots.
    """

    def __init__(self, bins: int = 20):
        if bins < 1:
            raise ValueError(f"a curve needs one bin of t or more; got {bins}")
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
        return _interpolate(t.to(wide), *curve).to(_precision(output))

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
            raise ValueError(f"the state has {len(state['count'])} bins, this arm {len(self.count)}; make one like it")
        self.count, self.t, self.factor = (state[key].clone() for key in ("count", "t", "factor"))
        self.frozen = bool(state["frozen"])


@weighting("constant")
class Constant(Timestep):
    """The frozen mean of the barrier's factor, for every sample: `timestep` with a single bin."""

    def __init__(self):
        super().__init__(bins=1)


# The peers: what a user would pick instead. They look at t alone.


@weighting("min_snr")
@dataclass(frozen=True)
class MinSnr:
    """Min-SNR-gamma (arXiv 2303.09556) for velocities: min(SNR, gamma) t^2 with SNR = ((1 - t) / t)^2.

    That paper weights the error of the predicted clean sample by min(SNR, gamma); with x = x_t - t v that error is
    t^2 times the velocity's. Written as min((1 - t)^2, gamma t^2), finite everywhere.
    """

    gamma: float = 5.0

    def __post_init__(self):
        if not self.gamma > 0:
            raise ValueError(f"gamma must be above 0; got {self.gamma}")

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        t = t.to(_precision(output))
        return torch.minimum((1 - t).square(), self.gamma * t.square())


@weighting("logit_normal")
@dataclass(frozen=True)
class LogitNormal:
    """Stable Diffusion 3's logit-normal density of t (arXiv 2403.03206), as a factor on uniformly drawn t.

    It has mean 1 over uniform t. With t drawn from another density the two multiply.
    """

    location: float = 0.0
    scale: float = 1.0

    def __post_init__(self):
        if not self.scale > 0:
            raise ValueError(f"scale must be above 0; got {self.scale}")

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        wide = widest_float(t.device)
        edge = torch.finfo(wide).eps
        t = t.to(wide).clamp(edge, 1 - edge)  # the density falls to 0 at both ends, its parts to 0/0
        standard = (torch.logit(t) - self.location) / self.scale
        density = torch.exp(-standard.square() / 2) / (self.scale * math.sqrt(2 * math.pi) * t * (1 - t))
        return density.to(_precision(output))


@weighting("edm2")
class Edm2(nn.Module):
    """EDM2's learned uncertainty (arXiv 2312.02696): factor exp(-u(t)), penalty u(t).

    u is one linear layer over `features` random Fourier features of t, drawn from `seed`, and starts at 0. The factor
    carries a gradient to u alone. Whoever trains with it adds `arm.parameters()` to the optimiser, best in a group of
    their own without weight decay and outside the clipping of the model's gradient; `objective` adds the penalty. At
    the optimum u(t) is the log of the loss expected at t.
    """

    def __init__(self, features: int = 128, seed: int = 0):
        super().__init__()
        generator = torch_generator(seed, "edm2")
        self.register_buffer("frequency", torch.randn(features, generator=generator))
        self.register_buffer("phase", torch.rand(features, generator=generator))
        self.head = nn.Linear(features, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def penalty(self, t: Tensor) -> Tensor:
        """u(t), `[B]`: what `objective` adds to each sample's weighted loss."""
        angle = 2 * math.pi * (t.unsqueeze(-1) * self.frequency + self.phase)
        features = math.sqrt(2) * angle.cos()
        return (features * self.head.weight).sum(-1) + self.head.bias  # a matmul would be in bfloat16 under autocast

    def forward(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        return torch.exp(-self.penalty(t))


def _precision(output: Tensor) -> torch.dtype:
    return torch.promote_types(output.dtype, torch.float32)


def _finite(values: Tensor) -> Tensor:
    """Detached, float64, on the CPU: the form in which the state keeps things."""
    values = values.detach().cpu().double()  # in this order: MPS has no float64
    if not values.isfinite().all():
        raise ValueError("an arm cannot be calibrated on NaN or inf; refuse such a step before calibrating")
    return values


def _interpolate(t: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Straight lines through (knots, values), `[N]` ascending, at `t` `[B]`; level outside."""
    right = torch.searchsorted(knots, t).clamp(max=len(knots) - 1)
    left = (right - 1).clamp(min=0)
    width = torch.where(right > left, knots[right] - knots[left], 1)
    return torch.lerp(values[left], values[right], ((t - knots[left]) / width).clamp(max=1))
