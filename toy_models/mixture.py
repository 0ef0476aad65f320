"""Gaussian mixtures of shape [C, T] with classes: exact density, score, velocity and Bayes loss of the flow to noise.

Component k has a mean `[C, T]` and one covariance over time, shared by its channels and stored as eigenvectors and
eigenvalues. With x_t = (1 - t) x + t n, mean m, eigenvalue lam and s^2 = (1 - t)^2 lam + t^2, the component has along
that eigenvector

    E[v | x_t] = (t - (1 - t) lam) / s^2 * (x_t - (1 - t) m) - m,     Var[v | x_t] = lam / s^2,     v = n - x

and the mixture averages its components with their responsibilities at x_t. All computations are in float64; results
are finite for t in [0, 1] where lam > 0, and for t > 0 where lam = 0. Shapes: `noisy` and velocities `[B, C, T]`, `t`
and `label` `[B]`. A label is the index of a class, or `NULL` for all classes; no labels means `NULL` for every sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor

CLASSES = ("flat", "contrast")
NULL = len(CLASSES)  # a dropped label


@dataclass(frozen=True)
class Mixture:
    """A distribution with exact flow. `classes` and `modes` hold the class and the mode of each component."""

    weights: Tensor  # [K], positive, sums to 1
    means: Tensor  # [K, C, T]
    basis: Tensor  # [K, T, T], eigenvectors in columns
    variances: Tensor  # [K, T], eigenvalues, >= 0
    classes: Tensor  # [K] int64, index into CLASSES
    modes: Tensor  # [K] int64

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and positions."""
        return tuple(self.means.shape[1:])

    def class_mass(self) -> Tensor:
        """The probability of every class, `[2]`."""
        return torch.zeros(len(CLASSES), dtype=torch.float64).index_add_(0, self.classes, self.weights)

    def mode_mass(self) -> Tensor:
        """The probability of every mode, `[modes]`."""
        return torch.zeros(int(self.modes.max()) + 1, dtype=torch.float64).index_add_(0, self.modes, self.weights)

    def sample(self, count: int, generator: Generator, label: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`count` exact draws `[count, C, T]`, float64, of the classes in `label`; and their components `[count]`."""
        component = torch.multinomial(
            self._prior(label, count).exp(), 1, replacement=True, generator=generator
        ).squeeze(1)
        normal = torch.randn(count, *self.shape, dtype=torch.float64, generator=generator)
        scaled = normal * self.variances[component].sqrt().unsqueeze(1)
        return self.means[component] + scaled @ self.basis[component].mT, component

    def log_density(self, noisy: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """log p_t(x_t), `[B]`, differentiable."""
        return torch.logsumexp(self._log_joint(noisy, t, label)[0], dim=1)

    def responsibilities(self, noisy: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """P(component | x_t), `[B, K]`."""
        return torch.softmax(self._log_joint(noisy, t, label)[0], dim=1)

    def velocity(self, noisy: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """E[v | x_t], `[B, C, T]`: the minimiser of the loss, also under any detached weight of (x_t, t)."""
        return self.moments(noisy, t, label)[0]

    def score(self, noisy: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """Gradient of `log_density`: -E[n | x_t] / t with n = x_t + (1 - t) v; t must be positive."""
        t = t.double().view(-1, 1, 1)
        return -(noisy.double() + (1 - t) * self.velocity(noisy, t.flatten(), label)) / t

    def conditional_variance(self, noisy: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """Var[v | x_t], mean over channels and positions, `[B]`: the Bayes loss at x_t, which no model can beat."""
        return self.moments(noisy, t, label)[1]

    def moments(self, noisy: Tensor, t: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """E[v | x_t] `[B, C, T]` and the mean of Var[v | x_t] `[B]`, by the law of total variance over components."""
        joint, centred, spread = self._log_joint(noisy, t, label)
        shares = torch.softmax(joint, dim=1)
        t = t.double().view(-1, 1, 1, 1)
        slope = (t - (1 - t) * self.variances[:, None]) / spread
        given = torch.einsum("bkcj,ktj->bkct", slope * centred - self._projected_means, self.basis)
        mean = torch.einsum("bk,bkct->bct", shares, given)
        within = torch.einsum("bk,bkt->b", shares, (self.variances[:, None] / spread).squeeze(2)) / self.shape[1]
        between = torch.einsum("bk,bk->b", shares, (given - mean.unsqueeze(1)).square().mean((2, 3)))
        return mean, within + between

    @cached_property
    def _projected_means(self) -> Tensor:
        return self.means @ self.basis

    def _prior(self, label: Tensor | None, count: int) -> Tensor:
        """Log prior probability of every component, `[count, K]`; -inf outside the label's class."""
        log_weights = self.weights.log().expand(count, -1)
        if label is None:
            return log_weights
        outside = (label.unsqueeze(1) != self.classes) & (label.unsqueeze(1) != NULL)
        return torch.log_softmax(log_weights.masked_fill(outside, -torch.inf), dim=1)

    def _log_joint(self, noisy: Tensor, t: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """log P(component) p_t(x_t | component) `[B, K]`; x_t minus its mean, in each component's eigenbasis,
        `[B, K, C, T]`; s^2 `[B, K, 1, T]`.
        """
        t = t.double().view(-1, 1, 1, 1)
        variances = self.variances[:, None]  # [K, 1, T]
        spread = (1 - t).square() * variances + t.square()  # [B, K, 1, T]
        projected = torch.einsum("bct,ktj->bkcj", noisy.double(), self.basis)
        centred = projected - (1 - t) * self._projected_means
        channels, positions = self.shape
        constant = channels * (spread.log().sum((2, 3)) + positions * torch.log(torch.tensor(2 * torch.pi)))
        log_likelihood = -((centred.square() / spread).sum((2, 3)) + constant) / 2
        return self._prior(label, len(noisy)) + log_likelihood, centred, spread


def isotropic(points: Tensor, deviation: float, classes: Tensor, modes: Tensor) -> Mixture:
    """Round components of equal mass and standard deviation `deviation` at `points` `[K, C, T]`."""
    count, _, positions = points.shape
    return Mixture(
        torch.full((count,), 1 / count, dtype=torch.float64),
        points.double(),
        torch.eye(positions, dtype=torch.float64).expand(count, -1, -1),
        torch.full((count, positions), deviation**2, dtype=torch.float64),
        classes,
        modes,
    )


def zero_mean(weights: Sequence[float], covariances: Tensor, channels: int, classes: Tensor, modes: Tensor) -> Mixture:
    """Components of mean 0, covariances `[K, T, T]` over time and independent channels; `weights` are normalised."""
    variances, basis = torch.linalg.eigh(covariances.double())
    means = torch.zeros(len(basis), channels, basis.shape[-1], dtype=torch.float64)
    weights = torch.tensor(weights, dtype=torch.float64)
    return Mixture(weights / weights.sum(), means, basis, variances.clamp(min=0), classes, modes)
