"""Held-out draws of a law beside its exact velocity: losses, excess risk and weights by t and class.

Every seed has samples, noise and times of its own, so that seeds are independent; its arms share them, so that nothing
of a difference between arms is theirs. Excess risk is the mean square distance to E[v | x_t, class]: in expectation the
loss minus the Bayes loss, without the target's noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eisbach import flow
from eisbach.barrier import barrier_weight
from eisbach.seeds import torch_generator
from toy_models.mixture import CLASSES, NULL, Mixture
from toy_models.networks import Network, Weights, every


@dataclass(frozen=True)
class Heldout:
    """`count` draws of each class, class by class, for S seeds at one time each in each of N equal parts of [0, 1]."""

    times: Tensor  # [N, S], uniform within their parts
    noisy: Tensor  # [N, S, 2 * count, C, T]
    target: Tensor  # [N, S, 2 * count, C, T]
    exact: Tensor  # [N, S, 2 * count, C, T], E[v | x_t, class]
    bayes: Tensor  # [N, S, 2], the loss of `exact` in expectation: mean of Var[v | x_t, class]
    component: Tensor  # [N, S, 2 * count], which component of the law a draw is of
    label: Tensor  # [2 * count]


def heldout(law: Mixture, count: int, seeds: Sequence[int], per_tenth: int = 2, *, middle: bool = False) -> Heldout:
    """The draws of `seeds`, a seed's the same whatever seeds stand beside it; `per_tenth` times in every tenth.

    `middle` puts each time into the middle of its part, for a curve over t.
    """
    parts = 10 * per_tenth
    label = torch.arange(len(CLASSES)).repeat_interleave(count)
    draws = [_drawn(law, label, part, parts, seed, middle) for part in range(parts) for seed in seeds]
    columns = (torch.stack(column).unflatten(0, (parts, len(seeds))) for column in zip(*draws, strict=True))
    return Heldout(*columns, label)


def _drawn(law: Mixture, label: Tensor, part: int, parts: int, seed: int, middle: bool) -> tuple[Tensor, ...]:
    """One seed's columns of a `Heldout` in one part of [0, 1]."""
    generator = torch_generator(seed, "toy held-out", part, parts)
    within = torch.rand((), dtype=torch.float64, generator=generator)
    at = ((part + (torch.full_like(within, 0.5) if middle else within)) / parts).expand(len(label))
    clean, component = law.sample(len(label), generator, label)
    noise = torch.randn(clean.shape, dtype=clean.dtype, generator=generator)
    noisy = flow.interpolate(clean, noise, at)
    exact, variance = law.moments(noisy, at, label)
    bayes = variance.unflatten(0, (len(CLASSES), -1)).mean(1)
    return *(truth.float() for truth in (at[0], noisy, flow.velocity(clean, noise), exact, bayes)), component


@dataclass(frozen=True)
class Measured:
    """What M models did on held-out draws, `[M, N, 2, count]` each: models, times, classes, samples."""

    loss: Tensor
    excess: Tensor
    weight: Tensor  # the barrier's w (Eq. 4) of the model's own output


@torch.no_grad()
def measure(network: Network, weights: Weights, held: Heldout) -> Measured:
    """Loss, excess risk and weight of every model on every draw of its seed."""
    columns = []
    for part in range(len(held.times)):
        output, loss, excess = _errors(network, weights, held, part)
        columns.append((loss, excess, barrier_weight(output.flatten(0, 1)).view(loss.shape)))
    parts = (torch.stack(column, dim=1) for column in zip(*columns, strict=True))
    return Measured(*(part.unflatten(2, (len(CLASSES), -1)) for part in parts))


@torch.no_grad()
def excess_by_class(network: Network, weights: Weights, held: Heldout, every_nth: int) -> tuple[Tensor, Tensor]:
    """Loss and excess risk `[M, 2]` on every n-th part of [0, 1]: enough for a learning curve."""
    totals = []
    for part in range(every_nth // 2, len(held.times), every_nth):
        _, *errors = _errors(network, weights, held, part)
        totals.append(torch.stack(errors).unflatten(2, (len(CLASSES), -1)).mean(3))
    loss, excess = torch.stack(totals).mean(0)
    return loss, excess


@dataclass(frozen=True)
class Blind:
    """What is best on some parts of held-out draws when the class is not told."""

    parts: list[int]
    exact: Tensor  # [parts, S, 2 * count, C, T], E[v | x_t]
    bayes: Tensor  # [S], its loss in expectation


def blind(law: Mixture, held: Heldout, every_nth: int) -> Blind:
    """The truth without classes on every n-th part of [0, 1]."""
    parts = list(range(every_nth // 2, len(held.times), every_nth))
    noisy = held.noisy[parts]
    at = held.times[parts].unsqueeze(2).expand(noisy.shape[:3])
    exact, variance = law.moments(noisy.flatten(0, 2), at.flatten())
    return Blind(parts, exact.view(noisy.shape).float(), variance.view(at.shape).mean((0, 2)).float())


@torch.no_grad()
def blind_share(network: Network, weights: Weights, held: Heldout, truth: Blind) -> Tensor:
    """The excess risk of models that are not told the class over its Bayes loss, `[M]`.

    Unconditional samples are drawn by this velocity, of which training saw the share of labels that was dropped.
    """
    untold = torch.full_like(held.label, NULL)
    excess = []
    for part, exact in zip(truth.parts, truth.exact, strict=True):
        output = _output(network, weights, held, part, untold)
        excess.append((output - every(exact, len(output))).square().mean((1, 2, 3)))
    return torch.stack(excess).mean(0) / every(truth.bayes, len(excess[0]))


def _errors(network: Network, weights: Weights, held: Heldout, part: int) -> tuple[Tensor, Tensor, Tensor]:
    """Output `[M, 2 * count, C, T]` at one time of each seed, its loss and its excess risk `[M, 2 * count]`."""
    output = _output(network, weights, held, part, held.label)
    errors = [(output - every(truth[part], len(output))).square().mean((2, 3)) for truth in (held.target, held.exact)]
    return output, *errors


def _output(network: Network, weights: Weights, held: Heldout, part: int, label: Tensor) -> Tensor:
    noisy = held.noisy[part]
    at = held.times[part].unsqueeze(1).expand(noisy.shape[:2])
    return network(weights, noisy, at, label.expand(noisy.shape[:2]))
