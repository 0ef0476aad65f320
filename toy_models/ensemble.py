"""All arms x seeds of a regime as one tensor program: paired by construction, deterministic, a generator of steps."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from eisbach.seeds import torch_generator
from toy_models.arms import Stack
from toy_models.draws import draws
from toy_models.mixture import Mixture
from toy_models.networks import Network, Weights, every, initial


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. The learning rate is constant, so that a factor on the loss is all an arm changes."""

    optimizer: str = "adamw"
    lr: float = 4e-3
    batch: int = 64
    dropout: float = 0.15  # share of samples whose label is left out
    average: float = 0.99  # decay of the moving average of the weights, which is what is measured
    clip: float = math.inf  # largest norm of a model's gradient; longer ones are cut to it


@dataclass(frozen=True)
class Step:
    """A step of all models: `weights` is their moving average after it and changes in place when the next is taken."""

    step: int
    weights: Weights
    loss: Tensor  # [A, S, B], before the factor
    factor: Tensor  # [A, S, B], 1 for a lost model
    t: Tensor  # [S, B]
    lost: Tensor  # [A, S], models whose loss was not finite at this step or before


def beginning(network: Network, seeds: Sequence[int], arms: int) -> Weights:
    """Initial weights of arms x seeds models; the arms of a seed begin alike."""
    single = [initial(network, torch_generator(seed, "toy weights")) for seed in seeds]
    return {name: every(torch.cat([one[name] for one in single]), arms * len(seeds)) for name in single[0]}


def train(
    network: Network,
    law: Mixture,
    stack: Stack,
    weights: Weights,
    recipe: Recipe,
    steps: int,
    purpose: str = "toy draws",
) -> Iterator[Step]:
    """Train `weights` in place by `stack`'s arms and seeds, one `Step` at a time, on the draws of `purpose`.

    The moving average takes the noise of a constant learning rate out of what is measured, and acts on no gradient.
    A model whose loss is not finite is lost: its weights are 0 from that step on, and the others do not notice.
    """
    parameters = {name: weight.requires_grad_() for name, weight in weights.items()}
    averages = {name: weight.detach().clone() for name, weight in weights.items()}
    optimizer = optimiser(recipe, list(parameters.values()), stack.parameters())
    shape = (len(stack.arms), len(stack.seeds), recipe.batch)
    lost = torch.zeros(shape[:2], dtype=torch.bool)
    for step, draw in enumerate(draws(law, stack.seeds, steps, recipe.batch, recipe.dropout, purpose)):
        output = network(parameters, draw.noisy, draw.t, draw.label)
        outputs = output.unflatten(0, shape[:2])
        loss = mse_loss(outputs, draw.target.expand_as(outputs), reduction="none").mean((3, 4))
        factor, penalty = stack.factors(output, draw, step)
        total = (loss * factor).mean(2)  # [A, S]: each model its own objective; their sum gives each its own gradient
        lost = lost | ~torch.isfinite(total.detach())
        optimizer.zero_grad(set_to_none=True)
        (total.sum() + penalty).backward()
        gradients = [parameter.grad for parameter in parameters.values()]
        blank(gradients, lost)
        clip(gradients, recipe.clip)
        optimizer.step()
        blank([parameter.detach() for parameter in parameters.values()], lost)
        decay = min(recipe.average, (step + 1) / (step + 10))
        torch._foreach_lerp_(list(averages.values()), [one.detach() for one in parameters.values()], 1 - decay)
        blank(list(averages.values()), lost)
        factor = factor.detach().masked_fill(lost.unsqueeze(2), 1)  # a follower's seed is left out with its leader's
        yield Step(step, averages, loss.detach(), factor, draw.t, lost)


def blank(stacked: list[Tensor], lost: Tensor) -> None:
    """Set the rows `[M, ...]` of lost models to 0, in place."""
    if lost.any():
        for rows in stacked:
            rows[lost.flatten()] = 0


def clip(gradients: list[Tensor], largest: float) -> None:
    """Scale each model's gradients `[M, ...]` down to the norm `largest` over all its weights, in place."""
    if largest < math.inf:
        norm = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
        scale = (largest / norm).clamp(max=1)
        for gradient in gradients:
            gradient *= scale.view(-1, *[1] * (gradient.dim() - 1))


def optimiser(recipe: Recipe, models: list[Tensor], arms: list[Tensor]) -> torch.optim.Optimizer:
    """AdamW or SGD over stacked models: both act entry by entry, so that a stack is its models side by side.

    AdamW's eps is far below any gradient here and its decay 0: nothing but the direction of the gradients counts.
    What the arms learn has a rate of its own.
    """
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(models, lr=recipe.lr, momentum=0.9)
    groups = [{"params": models}] + ([{"params": arms, "lr": 1e-2}] if arms else [])
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.99), eps=1e-12, weight_decay=0.0, fused=True)
