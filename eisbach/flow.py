"""Rectified flow as Stable Audio 3 has it: x_t = (1 - t) data + t noise, velocity = noise - data, t = 1 pure noise.

Latents are [B, C, T]; t is [B] in [0, 1]; every draw comes from the generator that is passed in.
"""

import torch
from torch import Generator, Tensor

LEFT_TRUNCATION = 0.075  # of the released recipe's truncated logistic-normal
SHIFT_LENGTHS = (256, 4096)  # latents between which the released distribution shift runs
SHIFT_LOGITS = (0.5, 1.15)  # how far it moves the logit of t at those lengths


def interpolate(data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """x_t, shape of `data`; exact at both ends."""
    t = t.view(-1, *[1] * (data.dim() - 1))
    return (1 - t) * data + t * noise


def velocity(data: Tensor, noise: Tensor) -> Tensor:
    """The target of the model, d x_t / d t."""
    return noise - data


def clean(noisy: Tensor, output: Tensor, t: Tensor) -> Tensor:
    """The data that a velocity points back to: x_t - t v."""
    return noisy - t.view(-1, *[1] * (noisy.dim() - 1)) * output


def uniform_t(count: int, generator: Generator) -> Tensor:
    return torch.rand(count, generator=generator)


def truncated_logit_normal_t(count: int, generator: Generator, left: float = LEFT_TRUNCATION) -> Tensor:
    """1 - s, where s is a logistic-normal cut below `left` and stretched to [0, 1): step 3 of the released recipe."""
    normal = torch.distributions.Normal(0.0, 1.0)
    lower = normal.cdf(torch.logit(torch.tensor(left)))
    cut = lower + (1 - lower) * normal.cdf(torch.randn(count, generator=generator))
    return 1 - (torch.sigmoid(normal.icdf(cut)) - left) / (1 - left)


def shift(t: Tensor, length: Tensor | int) -> Tensor:
    """Step 4: logit(t) moves up linearly in the effective length (latents), clamped to 256..4096."""
    shortest, longest = SHIFT_LENGTHS
    low, high = SHIFT_LOGITS
    length = torch.as_tensor(length, dtype=t.dtype, device=t.device).clamp(shortest, longest)
    move = low + (high - low) * (length - shortest) / (longest - shortest)
    odds = t * torch.exp(move)
    return odds / (1 - t + odds)


def couple(data: Tensor, noise: Tensor, iterations: int = 20) -> Tensor:
    """Step 6: `noise` [B, ...] permuted so that it lies nearer to `data`, minibatch optimal transport.

    Sinkhorn on the squared distances over their mean, then each row in turn takes the likeliest noise still free.
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
    """Slope a of the best linear v = a x_t when data and noise have unit variance, E[v | x_t] for Gaussian data."""
    t = torch.as_tensor(t)
    return (2 * t - 1) / ((1 - t) ** 2 + t**2)


def schedule(steps: int, length: int) -> Tensor:
    """Sampling times, 1 down to 0, [steps + 1], moved by `shift` as the training times are."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    return shift(torch.linspace(1, 0, steps + 1, dtype=torch.float64), length).to(torch.get_default_dtype())
