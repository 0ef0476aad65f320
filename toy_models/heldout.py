"""Held-out draws of a distribution with its exact velocity: losses, excess risk and weights by t and class.

Every seed has its own samples, noise and times, so seeds are independent. The arms of a seed share them, so differences
between arms do not come from the draws. The excess risk of a model is its mean square distance to E[v | x_t, class]: in
expectation its loss minus the Bayes loss, without the noise of the target.

Shapes: M models, S seeds, N parts of [0, 1] with one time each, `count` draws of each of the two classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eisbach import flow
from eisbach.barrier import barrier_weight
from eisbach.seeds import torch_generator
from toy_models.mixture import CLASSES, NULL, Mixture
from toy_models.networks import Network, Weights, repeat_for_arms


@dataclass(frozen=True)
class Heldout:
    """`count` draws of each class, sorted by class, for S seeds, at one time in each of N equal parts of [0, 1]."""

    times: Tensor  # [N, S], uniform within their parts
    noisy: Tensor  # [N, S, 2 * count, C, T]
    target: Tensor  # [N, S, 2 * count, C, T]
    exact: Tensor  # [N, S, 2 * count, C, T], E[v | x_t, class]
    bayes: Tensor  # [N, S, 2], Bayes loss: the mean of Var[v | x_t, class] over the draws
    component: Tensor  # [N, S, 2 * count], index of the mixture component of each draw
    label: Tensor  # [2 * count]


def draw_heldout(
    distribution: Mixture, count: int, seeds: Sequence[int], per_tenth: int = 2, *, middle: bool = False
) -> Heldout:
    """The held-out draws of `seeds`, at `per_tenth` times in every tenth of [0, 1].

    The draws of a seed do not depend on the other seeds. `middle` puts each time into the middle of its part, for a
    curve over t.
    """
    parts = 10 * per_tenth
    label = torch.arange(len(CLASSES)).repeat_interleave(count)
    draws = [_draw_part(distribution, label, part, parts, seed, middle) for part in range(parts) for seed in seeds]
    columns = (torch.stack(column).unflatten(0, (parts, len(seeds))) for column in zip(*draws, strict=True))
    return Heldout(*columns, label)


def _draw_part(
    distribution: Mixture, label: Tensor, part: int, parts: int, seed: int, middle: bool
) -> tuple[Tensor, ...]:
    """The fields of a `Heldout` but `label`, for one seed and one part of [0, 1]."""
    generator = torch_generator(seed, "toy held-out", part, parts)
    within = torch.rand((), dtype=torch.float64, generator=generator)
    at = ((part + (torch.full_like(within, 0.5) if middle else within)) / parts).expand(len(label))
    clean, component = distribution.sample(len(label), generator, label)
    noise = torch.randn(clean.shape, dtype=clean.dtype, generator=generator)
    noisy = flow.interpolate(clean, noise, at)
    exact, variance = distribution.moments(noisy, at, label)
    bayes = variance.unflatten(0, (len(CLASSES), -1)).mean(1)
    return *(field.float() for field in (at[0], noisy, flow.velocity(clean, noise), exact, bayes)), component


@dataclass(frozen=True)
class Measured:
    """Loss, excess risk and weight of M models on each held-out draw of their seed, `[M, N, 2, count]` each."""

    loss: Tensor
    excess: Tensor
    weight: Tensor  # the barrier's w (Eq. 4) of the model's own output


@torch.no_grad()
def measure(network: Network, weights: Weights, heldout: Heldout) -> Measured:
    """Loss, excess risk and weight of every model on every draw of its seed."""
    columns = []
    for part in range(len(heldout.times)):
        output, loss, excess = _errors(network, weights, heldout, part)
        columns.append((loss, excess, barrier_weight(output.flatten(0, 1)).view(loss.shape)))
    parts = (torch.stack(column, dim=1) for column in zip(*columns, strict=True))
    return Measured(*(part.unflatten(2, (len(CLASSES), -1)) for part in parts))


@torch.no_grad()
def excess_by_class(network: Network, weights: Weights, heldout: Heldout, stride: int) -> tuple[Tensor, Tensor]:
    """Mean loss and excess risk `[M, 2]` over every `stride`-th part of [0, 1]: enough for a learning curve."""
    totals = []
    for part in range(stride // 2, len(heldout.times), stride):
        _, *errors = _errors(network, weights, heldout, part)
        totals.append(torch.stack(errors).unflatten(2, (len(CLASSES), -1)).mean(3))
    loss, excess = torch.stack(totals).mean(0)
    return loss, excess


@dataclass(frozen=True)
class ClassUnconditional:
    """The exact velocity without the class, and its Bayes loss, on some of the parts of held-out draws."""

    parts: list[int]
    exact: Tensor  # [len(parts), S, 2 * count, C, T], E[v | x_t]
    bayes: Tensor  # [S], mean of Var[v | x_t] over the draws


def class_unconditional(distribution: Mixture, heldout: Heldout, stride: int) -> ClassUnconditional:
    """The class-unconditional velocity on every `stride`-th part of [0, 1]."""
    parts = list(range(stride // 2, len(heldout.times), stride))
    noisy = heldout.noisy[parts]
    at = heldout.times[parts].unsqueeze(2).expand(noisy.shape[:3])
    exact, variance = distribution.moments(noisy.flatten(0, 2), at.flatten())
    return ClassUnconditional(parts, exact.view(noisy.shape).float(), variance.view(at.shape).mean((0, 2)).float())


@torch.no_grad()
def class_unconditional_share(
    network: Network, weights: Weights, heldout: Heldout, exact: ClassUnconditional
) -> Tensor:
    """Excess risk over Bayes loss, `[M]`, of models that get no class (label `NULL`).

    Unconditional samples are drawn with this velocity, which was trained on the dropped labels only.
    """
    null = torch.full_like(heldout.label, NULL)
    excess = []
    for part, velocity in zip(exact.parts, exact.exact, strict=True):
        output = _output(network, weights, heldout, part, null)
        excess.append((output - repeat_for_arms(velocity, len(output))).square().mean((1, 2, 3)))
    return torch.stack(excess).mean(0) / repeat_for_arms(exact.bayes, len(excess[0]))


def _errors(network: Network, weights: Weights, heldout: Heldout, part: int) -> tuple[Tensor, Tensor, Tensor]:
    """Output `[M, 2 * count, C, T]` at one time of each seed, its loss and its excess risk `[M, 2 * count]`."""
    output = _output(network, weights, heldout, part, heldout.label)
    references = (heldout.target[part], heldout.exact[part])
    errors = [(output - repeat_for_arms(one, len(output))).square().mean((2, 3)) for one in references]
    return output, *errors


def _output(network: Network, weights: Weights, heldout: Heldout, part: int, label: Tensor) -> Tensor:
    noisy = heldout.noisy[part]
    at = heldout.times[part].unsqueeze(1).expand(noisy.shape[:2])
    return network(weights, noisy, at, label.expand(noisy.shape[:2]))
