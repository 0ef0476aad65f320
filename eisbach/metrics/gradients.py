"""Cosine between an adapter's gradients under the barrier and under the plain loss, on draws of its training."""

import torch
from torch import Tensor, nn

from eisbach import flow
from eisbach.adapters.paired import PairedAdapters
from eisbach.barrier import barrier_factor
from eisbach.data.latents import Latents
from eisbach.models.velocity import predict
from eisbach.objective import per_sample_loss
from eisbach.pipeline.params import Finetune
from eisbach.training.draws import Draw, draw

BATCHES = 2
SAMPLES = 2  # of the first batch, each as a batch of one


def cosines(
    model: nn.Module, adapters: PairedAdapters, arm: str, data: Latents, settings: Finetune, lam: float, seed: int
) -> dict[str, float]:
    """`gradient_cosine/batch`: mean over batches. `gradient_cosine/sample`: minimum over batches of one sample. -1..1.

    The draws are those of the first training steps of `seed`, without inpainting: the loss is over the whole clip.
    `lam` is the barrier's lambda. NaN where a gradient is zero. Activates `arm` of `adapters` and leaves it active.
    """
    adapters.activate(arm)
    parameters = list(adapters.parameters(arm).values())
    first, *others = (draw(data, settings, seed, step) for step in range(BATCHES))
    batches = [_cosine(model, parameters, one, torch.arange(len(one.t)), lam) for one in (first, *others)]
    samples = [_cosine(model, parameters, first, torch.tensor([row]), lam) for row in range(min(SAMPLES, len(first.t)))]
    return {"gradient_cosine/sample": min(samples), "gradient_cosine/batch": sum(batches) / len(batches)}


def _cosine(model: nn.Module, parameters: list[Tensor], shared: Draw, rows: Tensor, lam: float) -> float:
    clips, noise, t = shared.clips.rows(rows), shared.noise[rows], shared.t[rows]
    output = predict(model, flow.interpolate(clips.latents, noise, t), t, clips, dropped=shared.dropped[rows])
    loss = per_sample_loss(output, flow.velocity(clips.latents, noise), clips.mask)
    factor = barrier_factor(output, lam, clips.mask)
    plain = _flat(torch.autograd.grad(loss.mean(), parameters, retain_graph=True))
    weighted = _flat(torch.autograd.grad((loss * factor).mean(), parameters))
    return float(plain @ weighted / (plain.norm() * weighted.norm()))


def _flat(gradients: tuple[Tensor, ...]) -> Tensor:
    """All gradients as one vector in float64, so that the products lose no digits."""
    return torch.cat([gradient.flatten().double() for gradient in gradients])
