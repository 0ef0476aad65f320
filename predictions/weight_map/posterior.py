"""The energies of a posterior mean E[n - x0 | x_t], given the data's energies and the loss that it leaves.

Let L be the velocity loss at a position where the data have the expected energy s. A posterior mean is orthogonal to
its own error, so its correlations with the data and with the noise follow from L alone (`predictions.proofs`,
posterior_energy): with fresh Gaussian noise n and z per channel,

    y = -a x0 + b n + z,   a = 1 - t L / s,   b = 1 - (1 - t) L,   Var z = L (1 - L / L_linear),

where L_linear = s / ((1 - t)^2 s + t^2) is the loss of the best linear predictor of white data. z is what the model
knows beyond that predictor: a function of x_t that neither x0 nor n has linearly. Given x0, the energy of y over C
channels has a noncentral chi-square distribution, so no channel is drawn. The mean energy is 1 + s - L.
"""

import numpy as np

WINDOW = 5  # positions over which an expected energy is averaged
LEAST = 1e-9  # expected energy


def linear_loss(expected: np.ndarray, t: float) -> np.ndarray:
    """L_linear at expected energies (any shape) and t in [0, 1]; the largest loss that a posterior mean can leave."""
    return 1 / ((1 - t) ** 2 + t**2 / np.maximum(expected, LEAST))


def output_energy(
    clean: np.ndarray, expected: np.ndarray, loss: np.ndarray, t: float, channels: float, generator: np.random.Generator
) -> np.ndarray:
    """Energies `[N, T]` of y for energies `clean` of the data, their expectations and the losses, `[N, T]` each.

    A loss above `linear_loss` is none of a posterior mean and counts as that loss. `channels` is C > 0.
    """
    expected = np.maximum(expected, LEAST)
    linear = linear_loss(expected, t)
    loss = np.minimum(loss, linear)
    data = np.square(1 - t * loss / expected) * clean
    noise = np.square(1 - (1 - t) * loss) + loss * (1 - loss / linear)
    per_channel = np.maximum(noise, 1e-12) / channels
    return np.where(noise > 1e-12, per_channel * generator.noncentral_chisquare(channels, data / per_channel), data)


def local_loss(expected: np.ndarray, loss: float, elasticity: float, mask: np.ndarray | None = None) -> np.ndarray:
    """Losses `[N, T]` proportional to a power of the expected energy, with the mean `loss` over valid positions."""
    power = np.maximum(expected, LEAST) ** elasticity
    return loss * power / (power.mean() if mask is None else power[mask].mean())


def smooth(energy: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Means of `energy` `[N, T]` over the valid ones of WINDOW positions around each, 0 where there are none."""
    reach = WINDOW // 2

    def sums(values: np.ndarray) -> np.ndarray:
        padded = np.pad(values, ((0, 0), (reach, reach)))
        return np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1).sum(-1)

    return sums(np.where(mask, energy, 0)) / np.maximum(sums(mask.astype(float)), 1)


def elasticity(energies: np.ndarray, losses: np.ndarray) -> float:
    """The slope of log loss on log energy over clips, `[N]` each: how much less predictable loud clips are.

    0 where the energies do not vary.
    """
    x, y = np.log(energies), np.log(losses)
    x = x - x.mean()
    variance = np.square(x).sum()
    return float((x * y).sum() / variance) if variance > 0 else 0.0
