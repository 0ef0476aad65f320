"""Held-out draws of a law beside its exact velocity: losses, excess risk and weights by t and class.

The draws are the same for every arm and seed, so nothing of a difference between arms is theirs. Excess risk is the
mean square distance to E[v | x_t, class]: in expectation the loss minus the Bayes loss, without the target's noise.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from eisbach import flow
from eisbach.barrier import barrier_weight
from eisbach.seeds import torch_generator
from toy_models.mixture import CLASSES, Mixture
from toy_models.networks import Network, Weights


@dataclass(frozen=True)
class Heldout:
    """`count` draws of each class at each of N times; the first axis is time, the second class by class."""

    times: list[float]
    noisy: Tensor  # [N, 2 * count, C, T]
    target: Tensor  # [N, 2 * count, C, T]
    exact: Tensor  # [N, 2 * count, C, T], E[v | x_t, class]
    bayes: Tensor  # [N, 2], the loss of `exact` in expectation: mean of Var[v | x_t, class]
    component: Tensor  # [N, 2 * count], which component of the law a draw is of
    label: Tensor  # [2 * count]


def heldout(law: Mixture, count: int, per_tenth: int = 2, seed: int = 0) -> Heldout:
    """Draws at `per_tenth` times in every tenth of [0, 1]."""
    times = [(index + 0.5) / (10 * per_tenth) for index in range(10 * per_tenth)]
    label = torch.arange(len(CLASSES)).repeat_interleave(count)
    rows = []
    for t in times:
        generator = torch_generator(seed, "toy held-out", t)
        clean, component = law.sample(len(label), generator, label)
        noise = torch.randn(clean.shape, dtype=clean.dtype, generator=generator)
        at = torch.full((len(label),), t, dtype=clean.dtype)
        noisy = flow.interpolate(clean, noise, at)
        bayes = law.conditional_loss(noisy, at, label).unflatten(0, (len(CLASSES), count)).mean(1)
        rows.append((noisy, flow.velocity(clean, noise), law.velocity(noisy, at, label), bayes, component))
    *truths, components = (torch.stack(part) for part in zip(*rows, strict=True))
    return Heldout(times, *(truth.float() for truth in truths), components, label)


@dataclass(frozen=True)
class Measured:
    """What M models did on held-out draws, `[M, N, 2, count]` each: models, times, classes, samples."""

    loss: Tensor
    excess: Tensor
    weight: Tensor  # the barrier's w (Eq. 4) of the model's own output


@torch.no_grad()
def measure(network: Network, weights: Weights, held: Heldout) -> Measured:
    """Loss, excess risk and weight of every model on every draw."""
    columns = []
    for t, noisy, target, exact in zip(held.times, held.noisy, held.target, held.exact, strict=True):
        at = torch.full((1, len(held.label)), t)
        output = network(weights, noisy.unsqueeze(0), at, held.label.unsqueeze(0))
        weight = barrier_weight(output.flatten(0, 1)).view(len(output), -1)
        columns.append(((output - target).square().mean((2, 3)), (output - exact).square().mean((2, 3)), weight))
    parts = (torch.stack(part, dim=1) for part in zip(*columns, strict=True))
    return Measured(*(part.unflatten(2, (len(CLASSES), -1)) for part in parts))


@torch.no_grad()
def excess_by_class(network: Network, weights: Weights, held: Heldout, every_nth: int) -> tuple[Tensor, Tensor]:
    """Loss and excess risk `[M, 2]` on every n-th time: enough for a learning curve."""
    totals = []
    for index in range(every_nth // 2, len(held.times), every_nth):
        at = torch.full((1, len(held.label)), held.times[index])
        output = network(weights, held.noisy[index].unsqueeze(0), at, held.label.unsqueeze(0))
        errors = [(output - truth[index]).square().mean((2, 3)) for truth in (held.target, held.exact)]
        totals.append(torch.stack(errors).unflatten(2, (len(CLASSES), -1)).mean(3))
    loss, excess = torch.stack(totals).mean(0)
    return loss, excess
