"""The cosine of an arm's gradient to the baseline's, for every model of a stack at once."""

import torch
from torch import Tensor

from eisbach.arms import Arm
from eisbach.objective import per_sample_loss
from toy_models.arms import Stack
from toy_models.draws import Draw, draws
from toy_models.mixture import Mixture
from toy_models.networks import Network, Weights, repeat_for_arms


def probes(arms: list[Arm], lam: float) -> list[Arm]:
    """The arm whose factor is applied to each model: its own if barrier or attached, else the barrier at `lam`."""
    return [arm if arm.name in ("barrier", "attached") else Arm("barrier", lam) for arm in arms]


def cosines(
    network: Network, distribution: Mixture, weights: Weights, stack: Stack, batch: int, batches: int
) -> Tensor:
    """Cosine of the weighted and the plain gradient of every model on `batches` batches, `[batches, A, S]`.

    The batches are the first of each seed's "toy draws" at that batch size, without label dropout.
    """
    parameters = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
    steps = draws(distribution, stack.seeds, batches, batch, dropout=0.0)
    return torch.stack([_cosine(network, parameters, stack, draw, step) for step, draw in enumerate(steps)])


def _cosine(network: Network, parameters: Weights, stack: Stack, draw: Draw, step: int) -> Tensor:
    output = network(parameters, draw.noisy, draw.t, draw.label)
    shape = (len(stack.arms), *draw.t.shape)
    loss = per_sample_loss(output.flatten(0, 1), repeat_for_arms(draw.target, len(output)).flatten(0, 1)).view(shape)
    factor, _ = stack.factors(output, draw, step)
    leaves = list(parameters.values())
    plain = _flat(torch.autograd.grad(loss.mean(2).sum(), leaves, retain_graph=True))
    weighted = _flat(torch.autograd.grad((loss * factor).mean(2).sum(), leaves))
    return torch.cosine_similarity(plain, weighted, dim=1).view(shape[:2])


def _flat(gradients: tuple[Tensor, ...]) -> Tensor:
    """Gradients `[M, ...]` -> `[M, parameters]`; float64, so that parallel float32 gradients have cosine 1 to 1e-12."""
    return torch.cat([gradient.flatten(1).double() for gradient in gradients], dim=1)
