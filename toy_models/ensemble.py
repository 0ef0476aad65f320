"""Train all arms x seeds of a regime as one tensor program: paired, deterministic, a generator of steps."""

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
from toy_models.networks import Network, Weights, init_model, repeat_for_arms


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. The learning rate is constant, so that arms differ only in the factor on the loss."""

    optimizer: str = "adamw"
    lr: float = 4e-3
    batch: int = 64
    dropout: float = 0.15  # share of samples whose label is dropped
    average: float = 0.99  # decay of the moving average of the weights; the averaged weights are measured
    clip: float = math.inf  # largest norm of a model's gradient; longer gradients are scaled down to it


@dataclass(frozen=True)
class Step:
    """One step of all models. `weights` is their moving average after it; the next step changes it in place."""

    step: int
    weights: Weights
    loss: Tensor  # [A, S, B], before the factor
    factor: Tensor  # [A, S, B], 1 for a lost model
    t: Tensor  # [S, B]
    lost: Tensor  # [A, S], models whose loss was not finite at this step or before


def init(network: Network, seeds: Sequence[int], arms: int) -> Weights:
    """Initial weights of arms x seeds models, `[M, ...]` each; all arms of a seed start from the same weights."""
    per_seed = [init_model(network, torch_generator(seed, "toy weights")) for seed in seeds]
    return {
        name: repeat_for_arms(torch.cat([weights[name] for weights in per_seed]), arms * len(seeds))
        for name in per_seed[0]
    }


def train(
    network: Network,
    distribution: Mixture,
    stack: Stack,
    weights: Weights,
    recipe: Recipe,
    steps: int,
    purpose: str = "toy draws",
) -> Iterator[Step]:
    """Train `weights` in place under `stack`'s arms and seeds on the draws of `purpose`; yields one `Step` at a time.

    The moving average removes the noise of a constant learning rate from the measurements; it does not affect training.
    A model whose loss is not finite is lost: its weights are 0 from that step on, and the other models train on as
    if it were not there.
    """
    parameters = {name: weight.requires_grad_() for name, weight in weights.items()}
    averages = {name: weight.detach().clone() for name, weight in weights.items()}
    optimizer = make_optimizer(recipe, list(parameters.values()), stack.parameters())
    shape = (len(stack.arms), len(stack.seeds), recipe.batch)
    lost = torch.zeros(shape[:2], dtype=torch.bool)
    for step, draw in enumerate(draws(distribution, stack.seeds, steps, recipe.batch, recipe.dropout, purpose)):
        output = network(parameters, draw.noisy, draw.t, draw.label)
        outputs = output.unflatten(0, shape[:2])
        loss = mse_loss(outputs, draw.target.expand_as(outputs), reduction="none").mean((3, 4))
        factor, penalty = stack.factors(output, draw, step)
        total = (loss * factor).mean(2)  # [A, S]: one objective per model; the sum gives each model its own gradient
        lost = lost | ~torch.isfinite(total.detach())
        optimizer.zero_grad(set_to_none=True)
        (total.sum() + penalty).backward()
        gradients = [parameter.grad for parameter in parameters.values()]
        zero_lost(gradients, lost)
        clip(gradients, recipe.clip)
        optimizer.step()
        zero_lost([parameter.detach() for parameter in parameters.values()], lost)
        decay = min(recipe.average, (step + 1) / (step + 10))
        current = [parameter.detach() for parameter in parameters.values()]
        torch._foreach_lerp_(list(averages.values()), current, 1 - decay)
        zero_lost(list(averages.values()), lost)
        factor = factor.detach().masked_fill(lost.unsqueeze(2), 1)  # followers need a finite one
        yield Step(step, averages, loss.detach(), factor, draw.t, lost)


def zero_lost(stacked: list[Tensor], lost: Tensor) -> None:
    """Set the rows of lost models to 0 in place: tensors `[M, ...]`, `lost` `[A, S]`."""
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


def make_optimizer(recipe: Recipe, models: list[Tensor], arms: list[Tensor]) -> torch.optim.Optimizer:
    """AdamW or SGD over stacked models. Both update every entry by itself, so a stack trains like its models alone.

    AdamW's eps is far below any gradient here and its weight decay is 0, so a constant factor on the loss cancels.
    The parameters of the `arms` have a learning rate of their own; SGD does not train them.
    """
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(models, lr=recipe.lr, momentum=0.9)
    groups = [{"params": models}] + ([{"params": arms, "lr": 1e-2}] if arms else [])
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.99), eps=1e-12, weight_decay=0.0, fused=True)
