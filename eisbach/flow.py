"""Rectified flow as in Stable Audio 3: x_t = (1 - t) data + t noise, velocity = noise - data, pure noise at t = 1.

Latents are `[B, C, T]`, t is `[B]` in [0, 1], and every draw comes from the generator that is passed in. Steps 3, 4 and
6 are those of Stable Audio 3's training recipe.
"""

import torch
from torch import Generator, Tensor

LEFT_TRUNCATION = 0.075  # where the released recipe truncates its logistic-normal
SHIFT_LENGTHS = (256, 4096)  # latents: the range in which the released distribution shift varies
SHIFT_LOGITS = (0.5, 1.15)  # its shift of logit(t) at those two lengths


def interpolate(data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """x_t, in the shape of `data`; exactly `data` at t = 0 and `noise` at t = 1."""
    t = t.view(-1, *[1] * (data.dim() - 1))
    return (1 - t) * data + t * noise


def velocity(data: Tensor, noise: Tensor) -> Tensor:
    """The model's target, d x_t / d t, in the shape of `data`."""
    return noise - data


def uniform_t(count: int, generator: Generator) -> Tensor:
    """Times `[count]`, uniform in [0, 1)."""
    return torch.rand(count, generator=generator)


def truncated_logit_normal_t(count: int, generator: Generator, left: float = LEFT_TRUNCATION) -> Tensor:
    """Step 3: times `[count]`, t = 1 - s with s a logistic-normal truncated below `left` and rescaled to [0, 1)."""
    normal = torch.distributions.Normal(0.0, 1.0)
    lower = normal.cdf(torch.logit(torch.tensor(left)))
    cut = lower + (1 - lower) * normal.cdf(torch.randn(count, generator=generator))
    return 1 - (torch.sigmoid(normal.icdf(cut)) - left) / (1 - left)


def shift(t: Tensor, length: Tensor | int) -> Tensor:
    """Step 4: shift logit(t) up by an amount linear in the effective length in latents, clamped to [256, 4096]."""
    shortest, longest = SHIFT_LENGTHS
    low, high = SHIFT_LOGITS
    length = torch.as_tensor(length, dtype=t.dtype, device=t.device).clamp(shortest, longest)
    move = low + (high - low) * (length - shortest) / (longest - shortest)
    odds = t * torch.exp(move)
    return odds / (1 - t + odds)


def couple(data: Tensor, noise: Tensor, iterations: int = 20) -> Tensor:
    """Step 6, minibatch optimal transport: the rows of `noise` `[B, ...]`, permuted to lie nearer to those of `data`.

    Sinkhorn iterations on the squared distances divided by their mean give a plan; then each row of `data` in turn
    takes its most probable noise among those not yet taken.
    """
    rows, columns = data.flatten(1), noise.flatten(1)
    cost = rows.square().sum(1, keepdim=True) + columns.square().sum(1) - 2 * (rows @ columns.T)
    log_plan = -cost / cost.mean()
    for _ in range(iterations):
        log_plan = log_plan - log_plan.logsumexp(1, keepdim=True)
        log_plan = log_plan - log_plan.logsumexp(0, keepdim=True)
    plan, taken = log_plan.exp(), []
    for row in plan:
        row[taken] = -1
        taken.append(int(row.argmax()))
    return noise[taken]


def linear_predictor(t: Tensor | float) -> Tensor:
    """The slope a of the best linear predictor v = a x_t for data and noise of unit variance, in the shape of `t`.

    For Gaussian data a x_t is E[v | x_t].
    """
    t = torch.as_tensor(t)
    return (2 * t - 1) / ((1 - t) ** 2 + t**2)


def schedule(steps: int, length: int) -> Tensor:
    """Sampling times `[steps + 1]` from 1 down to 0, shifted by `shift` like the training times.

    Raises ValueError when `steps` is less than 1.
    """
    return shift(even(steps), length).to(torch.get_default_dtype())


def even(steps: int) -> Tensor:
    """Times `[steps + 1]` from 1 down to 0 at equal distances, fp64. Raises ValueError when `steps` is less than 1."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    return torch.linspace(1, 0, steps + 1, dtype=torch.float64)
