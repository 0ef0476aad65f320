"""Pretraining of the small base with plain rectified flow on the base split, without barrier or adapter.

`make pretrain` does this once; the package contains the result. The loop is a generator of step records and resumes
bit for bit: every draw derives from (seed, purpose, step).
"""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from eisbach import flow
from eisbach.data.latents import Latents
from eisbach.models.velocity import conditions
from eisbach.pipeline.params import Pretrain
from eisbach.seeds import torch_generator
from eisbach.training import checkpoint


def learning_rate(step: int, settings: Pretrain) -> float:
    """The learning rate of `step`: a linear warm-up times a cosine that falls to zero at the last step."""
    warm = min(1.0, (step + 1) / settings.warmup_steps)
    return settings.lr * warm * 0.5 * (1 + math.cos(math.pi * step / settings.steps))


def kept_positions(count: int, length: int, share: float, generator: torch.Generator) -> Tensor:
    """[count, length] bool, the inpainting context: one random span in a `share` of the samples, none in the others."""
    start, span, chosen = torch.rand(3, count, generator=generator)
    position = (torch.arange(length) + 0.5) / length
    first = start * (1 - span)
    inside = (position >= first[:, None]) & (position < (first + span)[:, None])
    return inside & (chosen < share)[:, None]


def batch_loss(model: nn.Module, batch: Latents, settings: Pretrain, step: int) -> Tensor:
    """Mean squared velocity error over the generated positions of all clips, scalar."""
    data, count = batch.latents, len(batch)
    generator = torch_generator(settings.seed, "pretrain", step)
    t = flow.uniform_t(count, generator)
    noise = torch.randn(data.shape, generator=generator)
    dropped = torch.rand(count, generator=generator) < settings.cfg_dropout
    kept = kept_positions(count, data.shape[-1], settings.inpainting, generator)
    inputs = conditions(model, batch, data.shape[-1], dropped=dropped, kept=kept, data=data)
    output = model.model(flow.interpolate(data, noise, t), t, **inputs, use_checkpointing=False)
    error = (output - flow.velocity(data, noise)).square().mean(1)
    return error[batch.mask & ~kept].mean()


def pretrain(model: nn.Module, data: Latents, settings: Pretrain, path: Path) -> Iterator[dict]:
    """Train `model` in place and yield {"step", "loss", "lr"} after every step; resume from `path` when it exists.

    When the generator ends, the weights are replaced by their exponential moving average. Raises FloatingPointError
    when the loss is not finite, before the optimiser changes a weight, and UserError when `path` has other settings.
    """
    parameters = dict(model.named_parameters())
    averages = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    optimizer = torch.optim.AdamW(
        parameters.values(), lr=settings.lr, betas=(0.9, 0.99), weight_decay=settings.weight_decay, fused=True
    )
    first = _restore(path, settings, parameters, averages, optimizer)
    for step in range(first, settings.steps):
        batch = data.batch(settings.batch, settings.seed, step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, settings)
        loss = batch_loss(model, batch, settings, step)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss of step {step} is {loss.item()}; the last good state is in {path}")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step()
        decay = min(settings.ema, (step + 1) / (step + 10))
        with torch.no_grad():
            for name, parameter in parameters.items():
                averages[name].lerp_(parameter, 1 - decay)
        if checkpoint.due(settings.save_every, step, settings.steps):
            tensors = {f"model.{name}": parameter for name, parameter in parameters.items()}
            tensors |= {f"average.{name}": average for name, average in averages.items()}
            tensors |= checkpoint.optimizer_tensors(optimizer, "optimizer.")
            checkpoint.save(path, tensors, {"config": settings.__dict__, "step": step + 1})
        yield {"step": step, "loss": loss.item(), "lr": optimizer.param_groups[0]["lr"]}
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(averages[name])


def _restore(path: Path, settings: Pretrain, parameters: dict, averages: dict, optimizer) -> int:
    saved = checkpoint.load(path)
    if saved is None:
        return 0
    tensors, facts = saved
    checkpoint.same_config(facts, settings.__dict__, path)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"model.{name}"])
            averages[name].copy_(tensors[f"average.{name}"])
    checkpoint.restore_optimizer(optimizer, tensors, "optimizer.")
    return facts["step"]
