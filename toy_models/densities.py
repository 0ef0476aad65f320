"""Four distributions in the plane: mixtures of small round Gaussians; C = 1, the T = 2 positions are the coordinates.

The belief of an output (v_1, v_2) is a softmax over the two squares, so points near an axis have contrast and points
near a diagonal are flat. The classes follow: a component is of class contrast where the squares of its mean's
coordinates differ by more than the median component's. Every distribution has mean 0 and mean square 1.
"""

import math

import torch
from torch import Tensor

from toy_models.mixture import Mixture, isotropic


def eight_gaussians() -> Mixture:
    """Eight modes on a circle: four on the axes (contrast), four on the diagonals (flat)."""
    angle = torch.arange(8, dtype=torch.float64) * math.pi / 4
    return _standardised(_polar(torch.ones(8), angle), 0.1, torch.arange(8))


def two_moons(count: int = 24) -> Mixture:
    """Two interleaved half circles, `count` components each; a moon is a mode."""
    angle = torch.linspace(0, math.pi, count, dtype=torch.float64)
    upper = _polar(torch.ones(count), angle)
    lower = torch.tensor([1.0, 0.5]) - upper
    return _standardised(torch.cat([upper, lower]), 0.08, torch.arange(2).repeat_interleave(count))


def checkerboard(side: int = 4) -> Mixture:
    """The eight dark squares of a board of 4 x 4, `side`^2 components each; a square is a mode."""
    inside = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    offsets = torch.cartesian_prod(inside, inside)
    corners = torch.tensor([(i - 2.0, j - 2.0) for i in range(4) for j in range(4) if (i + j) % 2 == 0])
    points = (corners[:, None] + offsets).flatten(0, 1)
    return _standardised(points, 0.5 / side, torch.arange(8).repeat_interleave(side**2))


def spirals(count: int = 40, turns: float = 1.25) -> Mixture:
    """Two spiral arms, half a circle apart, `count` components each; a spiral arm is a mode."""
    along = torch.linspace(0.2, 1, count, dtype=torch.float64).sqrt()  # evenly spaced along the spiral
    spiral = _polar(along, 2 * math.pi * turns * along)
    return _standardised(torch.cat([spiral, -spiral]), 0.05, torch.arange(2).repeat_interleave(count))


DISTRIBUTIONS = {
    "eight_gaussians": eight_gaussians,
    "two_moons": two_moons,
    "checkerboard": checkerboard,
    "spirals": spirals,
}


def _polar(radius: Tensor, angle: Tensor) -> Tensor:
    return radius.unsqueeze(1) * torch.stack([angle.cos(), angle.sin()], dim=1)


def _standardised(points: Tensor, deviation: float, modes: Tensor) -> Mixture:
    """A mixture at `points` `[K, 2]`, centred and scaled to mean square 1; the classes split at the median contrast."""
    points = points.double() - points.double().mean(0)
    scale = (points.square().mean() + deviation**2).rsqrt()
    points = points * scale
    contrast = (points[:, 0].square() - points[:, 1].square()).abs()
    classes = (contrast > contrast.median()).long()
    return isotropic(points.unsqueeze(1), float(deviation * scale), classes, modes)
