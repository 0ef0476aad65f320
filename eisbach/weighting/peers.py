"""Published alternatives to the barrier that a user might choose instead. They depend on t alone."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eisbach.barrier import widest_float
from eisbach.seeds import torch_generator
from eisbach.weighting.protocol import precision
from eisbach.weighting.registry import weighting

LARGEST = 65536  # number of features


@weighting("min_snr", per_sample=True)
@dataclass(frozen=True)
class MinSnr:
    """Min-SNR-gamma (arXiv 2303.09556) for velocities: min(SNR, gamma) t^2 with SNR = ((1 - t) / t)^2.

    That paper weights the error of the predicted clean sample by min(SNR, gamma); with x = x_t - t v that error is
    t^2 times the velocity's. Written as min((1 - t)^2, gamma t^2), finite everywhere.
    """

    gamma: float = 5.0

    def __post_init__(self):
        if not self.gamma > 0:
            raise ValueError(f"gamma must be above 0; got {self.gamma}")

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        t = t.to(precision(output))
        return torch.minimum((1 - t).square(), self.gamma * t.square())


@weighting("logit_normal", per_sample=True)
@dataclass(frozen=True)
class LogitNormal:
    """Stable Diffusion 3's logit-normal density of t (arXiv 2403.03206), as a factor on uniformly drawn t.

    It has mean 1 over uniform t. With t drawn from another density the two multiply.
    """

    location: float = 0.0
    scale: float = 1.0

    def __post_init__(self):
        if not self.scale > 0:
            raise ValueError(f"scale must be above 0; got {self.scale}")

    def __call__(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        wide = widest_float(t.device)
        edge = torch.finfo(wide).eps
        t = t.to(wide).clamp(edge, 1 - edge)  # the density falls to 0 at both ends, its parts to 0/0
        standard = (torch.logit(t) - self.location) / self.scale
        density = torch.exp(-standard.square() / 2) / (self.scale * math.sqrt(2 * math.pi) * t * (1 - t))
        return density.to(precision(output))


@weighting("edm2", has_penalty=True, draws=True, has_state=True)
class Edm2(nn.Module):
    """EDM2's learned uncertainty (arXiv 2312.02696): factor exp(-u(t)), penalty u(t).

    u is one linear layer over `features` random Fourier features of t, drawn from `seed`, and starts at 0. The factor
    carries a gradient to u alone. Add `arm.parameters()` to the optimiser, in a separate group without weight decay,
    and leave them out of the clipping of the model's gradient; `objective` adds the penalty. At the optimum u(t) is the
    log of the expected loss at t.
    """

    def __init__(self, features: int = 128, seed: int = 0):
        super().__init__()
        if not 1 <= features <= LARGEST:
            raise ValueError(f"features must be from 1 to {LARGEST}; got {features}")
        generator = torch_generator(seed, "edm2")
        self.register_buffer("frequency", torch.randn(features, generator=generator))
        self.register_buffer("phase", torch.rand(features, generator=generator))
        self.head = nn.Linear(features, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def penalty(self, t: Tensor) -> Tensor:
        """u(t), `[B]`: what `objective` adds to each sample's weighted loss."""
        angle = 2 * math.pi * (t.unsqueeze(-1) * self.frequency + self.phase)
        features = math.sqrt(2) * angle.cos()
        return (features * self.head.weight).sum(-1) + self.head.bias  # a matmul would be in bfloat16 under autocast

    def forward(self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, **_) -> Tensor:
        return torch.exp(-self.penalty(t))
