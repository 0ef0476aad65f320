"""Metrics of samples and of weights, for M models at once: tensors in, one number per model out.

`samples` are `[M, n, C, T]`; all computations are in float64 and results are `[M]` unless stated.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from eisbach.seeds import torch_generator
from toy_models.mixture import Mixture
from toy_models.networks import repeat_for_arms


def contrast_mass_and_modes(distribution: Mixture, samples: Tensor) -> tuple[Tensor, Tensor]:
    """The contrast class's share of the samples, and the effective number of modes: exp of the entropy of their shares.

    A sample counts for each component by its responsibility: one halfway between two modes counts half for each.
    """
    flat = samples.flatten(0, 1)
    shares = torch.cat([distribution.responsibilities(part, torch.zeros(len(part))) for part in flat.split(1024)])
    component = shares.view(*samples.shape[:2], -1).mean(1)  # [M, K]
    modes = torch.zeros(len(component), len(distribution.mode_mass()), dtype=torch.float64)
    modes.index_add_(1, distribution.modes, component)
    return component @ (distribution.classes == 1).double(), entropy(modes).exp()


def entropy(shares: Tensor) -> Tensor:
    """Entropy in nats over the last axis, `[..., n]` -> `[...]`; 0 log 0 is 0."""
    return -torch.special.xlogy(shares, shares).sum(-1)


def location_entropy(samples: Tensor, cells: int = 12, extent: float = 2.5) -> Tensor:
    """Entropy of the samples' locations divided by its maximum, in [0, 1].

    In the plane a location is one of `cells` x `cells` cells of [-extent, extent]^2; of a curve it is the position with
    the most energy.
    """
    if samples.shape[2:] == (1, 2):
        index = ((samples[:, :, 0] / extent + 1) / 2 * cells).long().clamp(0, cells - 1)
        location, locations = index[..., 0] * cells + index[..., 1], cells**2
    else:
        location, locations = samples.square().mean(2).argmax(2), samples.shape[-1]
    counts = torch.zeros(len(samples), locations, dtype=torch.float64)
    counts.scatter_add_(1, location, torch.ones_like(location, dtype=torch.float64))
    return entropy(counts / counts.sum(1, keepdim=True)) / math.log(min(locations, samples.shape[1]))


def vendi_gaussian(samples: Tensor, bandwidth: float) -> Tensor:
    """Vendi score (arXiv 2210.02410) with a Gaussian kernel: exp of the entropy of the kernel matrix's spectrum."""
    points = samples.flatten(2).double()
    gram = torch.exp(-torch.cdist(points, points).square() / (2 * bandwidth**2)) / points.shape[1]
    return entropy(torch.linalg.eigvalsh(gram).clamp(min=0)).exp()


def bandwidth(distribution: Mixture, count: int = 256) -> float:
    """The median distance between `count` exact draws: a property of the distribution, not of a model or a seed."""
    exact, _ = distribution.sample(count, torch_generator(0, "toy bandwidth"))
    return torch.pdist(exact.flatten(1)).median().item()


def sliced_wasserstein(samples: Tensor, exact: Tensor, directions: int = 64) -> Tensor:
    """Mean over directions of the one-dimensional W1 distance to as many exact draws `[S, n, C, T]` of the same seeds.

    The directions are part of the metric: they are the same for all seeds.
    """
    generator = torch_generator(0, "toy directions")
    axes = torch.randn(exact[0, 0].numel(), directions, dtype=torch.float64, generator=generator)
    axes /= axes.norm(dim=0)
    projected, expected = ((points.flatten(2).double() @ axes).sort(dim=1).values for points in (samples, exact))
    return (projected - repeat_for_arms(expected, len(projected))).abs().mean((1, 2))


def rise_share(curve: Tensor) -> Tensor:
    """The largest rise from one point of a curve to a later one, over the curve's range: `[M, N]` -> `[M]`, in [0, 1].

    It is 0 for a falling curve and, by convention, 1 for a constant one.
    """
    rise = (curve - curve.cummin(1).values).amax(1)
    extent = curve.amax(1) - curve.amin(1)
    return torch.where(extent > 0, rise / extent, 1.0)


def energy_range_db(samples: Tensor) -> Tensor:
    """95th minus 5th percentile over positions of the energy in dB, mean over samples."""
    level = 10 * samples.double().square().mean(2).clamp(min=1e-12).log10()
    low, high = torch.quantile(level, torch.tensor([0.05, 0.95], dtype=torch.float64), dim=2)
    return (high - low).mean(1)


def participation_ratio(samples: Tensor) -> Tensor:
    """(sum of eigenvalues)^2 / sum of their squares, of the channels' covariance over positions; mean over samples.

    Between 1 and C.
    """
    centred = samples.double() - samples.double().mean(3, keepdim=True)
    covariance = centred @ centred.mT
    trace = covariance.diagonal(dim1=2, dim2=3).sum(2)
    return (trace.square() / covariance.square().sum((2, 3))).mean(1)


DIRECTIONS = 180  # of `hull_area`


def hull_area(samples: Tensor) -> Tensor:
    """Area of the convex hull of a curve in the plane of its first two channels, mean over samples.

    The channels are exchangeable, so any two serve as well as the principal ones. The hull is approximated from inside
    by the polygon of the curve's farthest points in `DIRECTIONS` directions.
    """
    angle = torch.arange(DIRECTIONS, dtype=torch.float64) * 2 * math.pi / DIRECTIONS
    directions = torch.stack([angle.cos(), angle.sin()])  # [2, directions]
    areas = []
    for curves in samples[:, :, :2].double():  # a model at a time, as [n, T, directions] is large
        farthest = torch.einsum("nct,ca->nta", curves, directions).argmax(1)
        corners = curves.gather(2, farthest.unsqueeze(1).expand(-1, 2, -1))
        following = corners.roll(-1, dims=2)
        twice = corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]
        areas.append(twice.sum(1).abs().mean() / 2)
    return torch.stack(areas)


def envelope_correlation(samples: Tensor) -> Tensor:
    """Mean correlation of the smoothed log energies over pairs of samples of one condition, in [-1, 1]."""
    return _mean_over_pairs(pair_correlation(_smooth_energy(samples).log()))


def waveform_diversity(samples: Tensor) -> Tensor:
    """1 minus the mean absolute correlation over pairs of samples divided by their smoothed amplitude, in [0, 1]."""
    normalised = samples.double() / _smooth_energy(samples).sqrt().unsqueeze(2)
    return 1 - _mean_over_pairs(pair_correlation(normalised.flatten(2)).abs())


def _smooth_energy(samples: Tensor) -> Tensor:
    """The energy, mean over channels, averaged over three neighbouring positions, `[M, n, T]`."""
    energy = samples.double().square().mean(2)
    return avg_pool1d(energy, 3, stride=1, padding=1, count_include_pad=False).clamp(min=1e-12)


def _mean_over_pairs(matrix: Tensor) -> Tensor:
    """Mean of the entries off the diagonal, `[M, n, n]` -> `[M]`."""
    return matrix[:, ~torch.eye(matrix.shape[1], dtype=torch.bool)].mean(1)


def pair_correlation(values: Tensor) -> Tensor:
    """Pearson correlation of every pair of rows, `[M, n, F]` -> `[M, n, n]`."""
    centred = values - values.mean(2, keepdim=True)
    unit = centred / centred.norm(dim=2, keepdim=True).clamp(min=1e-12)
    return unit @ unit.mT


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rho along the last axis, `[..., n]` -> `[...]`; ties get their mean rank.

    It is 0 where all values of a row of `a` or `b` are equal.
    """
    x, y = (ranks(values) - (values.shape[-1] - 1) / 2 for values in (a, b))
    spread = (x.square().sum(-1) * y.square().sum(-1)).sqrt()
    return (x * y).sum(-1) / spread.clamp(min=0.5)  # 0.5: the spread of two rows that are not constant is no smaller


def ranks(values: Tensor) -> Tensor:
    """Ranks from 0 along the last axis, float64, of the shape of `values`; ties get their mean rank."""
    values = values.contiguous()
    ordered = values.sort(dim=-1).values
    below, upto = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
    return (below + upto - 1).double() / 2
