"""Measures of samples and of weights, for M models at once: tensors in, one number a model out.

`samples` are `[M, n, C, T]`; everything is computed in float64 and returned as `[M]`.
"""

import math

import torch
from torch import Tensor

from eisbach.seeds import torch_generator
from toy_models.mixture import Mixture
from toy_models.networks import every


def masses(law: Mixture, samples: Tensor) -> tuple[Tensor, Tensor]:
    """The contrast class's share of the samples, and the effective number of modes, exp of the modes' entropy.

    A sample belongs to each component by its responsibility, so one between two modes counts half for each.
    """
    flat = samples.flatten(0, 1)
    shares = torch.cat([law.responsibilities(part, torch.zeros(len(part))) for part in flat.split(1024)])
    component = shares.view(*samples.shape[:2], -1).mean(1)  # [M, K]
    modes = torch.zeros(len(component), len(law.mode_mass()), dtype=torch.float64).index_add_(1, law.modes, component)
    return component @ (law.classes == 1).double(), entropy(modes).exp()


def entropy(shares: Tensor) -> Tensor:
    """Entropy in nats over the last axis; empty cells count nothing."""
    return -torch.special.xlogy(shares, shares).sum(-1)


def location_entropy(samples: Tensor, cells: int = 12, extent: float = 2.5) -> Tensor:
    """Entropy, over its maximum, of where samples lie: cells of the plane, or the position of a curve's most energy."""
    if samples.shape[2:] == (1, 2):
        index = ((samples[:, :, 0] / extent + 1) / 2 * cells).long().clamp(0, cells - 1)
        place, places = index[..., 0] * cells + index[..., 1], cells**2
    else:
        place, places = samples.square().mean(2).argmax(2), samples.shape[-1]
    counts = torch.zeros(len(samples), places, dtype=torch.float64)
    counts.scatter_add_(1, place, torch.ones_like(place, dtype=torch.float64))
    return entropy(counts / counts.sum(1, keepdim=True)) / math.log(min(places, samples.shape[1]))


def vendi(samples: Tensor, bandwidth: float) -> Tensor:
    """Vendi score (arXiv 2210.02410): exp of the entropy of the kernel matrix's spectrum, Gaussian kernel."""
    points = samples.flatten(2).double()
    gram = torch.exp(-torch.cdist(points, points).square() / (2 * bandwidth**2)) / points.shape[1]
    return entropy(torch.linalg.eigvalsh(gram).clamp(min=0)).exp()


def bandwidth(law: Mixture, count: int = 256) -> float:
    """The median distance between `count` exact draws: a scale that belongs to the law, not to a model or a seed."""
    exact, _ = law.sample(count, torch_generator(0, "toy bandwidth"))
    return torch.pdist(exact.flatten(1)).median().item()


def sliced_wasserstein(samples: Tensor, exact: Tensor, directions: int = 64) -> Tensor:
    """Mean over directions of the one-dimensional W1 distance to as many exact draws `[S, n, C, T]` of the same seeds.

    The directions are part of the measure, the same for all seeds.
    """
    generator = torch_generator(0, "toy directions")
    axes = torch.randn(exact[0, 0].numel(), directions, dtype=torch.float64, generator=generator)
    axes /= axes.norm(dim=0)
    mine = (samples.flatten(2).double() @ axes).sort(dim=1).values
    truth = (exact.flatten(2).double() @ axes).sort(dim=1).values
    return (mine - every(truth, len(mine))).abs().mean((1, 2))


def rise_share(curve: Tensor) -> Tensor:
    """`[M, N]` -> `[M]`: the largest rise from one place to a later one over the curve's range; a level one has 1."""
    rise = (curve - curve.cummin(1).values).amax(1)
    extent = curve.amax(1) - curve.amin(1)
    return torch.where(extent > 0, rise / extent, 1.0)


def dynamic_range_db(samples: Tensor) -> Tensor:
    """Distance in dB of the 95th and 5th percentile of the energy over positions, mean over samples."""
    level = 10 * samples.double().square().mean(2).clamp(min=1e-12).log10()
    low, high = torch.quantile(level, torch.tensor([0.05, 0.95], dtype=torch.float64), dim=2)
    return (high - low).mean(1)


def participation_ratio(samples: Tensor) -> Tensor:
    """(sum of variances)^2 / sum of squares of the channels' covariance over positions, mean over samples; 1..C."""
    centred = samples.double() - samples.double().mean(3, keepdim=True)
    covariance = centred @ centred.mT
    trace = covariance.diagonal(dim1=2, dim2=3).sum(2)
    return (trace.square() / covariance.square().sum((2, 3))).mean(1)


def hull_area(samples: Tensor) -> Tensor:
    """Area of the convex hull that a curve sweeps in the plane of its first two channels, mean over samples.

    The laws' channels are exchangeable, so that any plane is as good a principal plane as another. The hull's corners
    are the curve's farthest points in 180 directions; between two of them it is a polygon.
    """
    angle = torch.arange(180, dtype=torch.float64) * 2 * math.pi / 180
    directions = torch.stack([angle.cos(), angle.sin()])  # [2, 180]
    areas = []
    for path in samples[:, :, :2].double():  # a model at a time: positions x directions are many
        extreme = torch.einsum("nct,ca->nta", path, directions).argmax(1)  # the hull's corner in each direction
        corners = path.gather(2, extreme.unsqueeze(1).expand(-1, 2, -1))
        following = corners.roll(-1, dims=2)
        twice = corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]
        areas.append(twice.sum(1).abs().mean() / 2)
    return torch.stack(areas)


def consistency_and_detail(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Of samples of one condition: how alike their energies over time are, and how unlike what they are made of.

    Structure: mean correlation over pairs of the log energy by position, smoothed over three positions. Detail: 1 minus
    the mean absolute correlation over pairs of the curves divided by their smoothed amplitude.
    """
    energy = samples.double().square().mean(2)
    smooth = torch.nn.functional.avg_pool1d(energy, 3, stride=1, padding=1, count_include_pad=False).clamp(min=1e-12)
    structure = pair_correlation(smooth.log())
    detail = pair_correlation((samples.double() / smooth.sqrt().unsqueeze(2)).flatten(2))
    count = samples.shape[1]
    off = ~torch.eye(count, dtype=torch.bool)
    return structure[:, off].mean(1), 1 - detail[:, off].abs().mean(1)


def pair_correlation(values: Tensor) -> Tensor:
    """Pearson correlation of every pair of rows, `[M, n, F]` -> `[M, n, n]`."""
    centred = values - values.mean(2, keepdim=True)
    unit = centred / centred.norm(dim=2, keepdim=True).clamp(min=1e-12)
    return unit @ unit.mT


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rho along the last axis, tied values at the mean of their ranks; 0 where all of a row are tied."""
    x, y = (ranks(values) - (values.shape[-1] - 1) / 2 for values in (a, b))
    spread = (x.square().sum(-1) * y.square().sum(-1)).sqrt()
    return (x * y).sum(-1) / spread.clamp(min=0.5)  # the least of a row that is not tied throughout


def ranks(values: Tensor) -> Tensor:
    """Ranks from 0 along the last axis, float64; ties share the mean of theirs."""
    values = values.contiguous()
    ordered = values.sort(dim=-1).values
    below, upto = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
    return (below + upto - 1).double() / 2
