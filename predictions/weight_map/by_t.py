"""The census of a trained model against the prediction from the clean latents' energies and the model's losses."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from eisbach.barrier import position_energy
from eisbach.data.flatten import flatten, typical_radius
from eisbach.data.latents import Latents
from eisbach.seeds import numpy_generator
from predictions.weight_map import posterior, sampling


@dataclass(frozen=True)
class Energies:
    """Energies of N clips: `clean` and their local means `expected`, `[N, T]`, with `mask` true at valid positions."""

    clean: np.ndarray
    expected: np.ndarray
    mask: np.ndarray
    channels: int  # of the latents

    def weights(self, t: float, loss: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """w `[N]` at t of a posterior mean that leaves these losses `[N, T]`."""
        drawn = posterior.output_energy(self.clean, self.expected, loss, t, self.channels, generator)
        return sampling.weights(np.where(self.mask, drawn, 0), self.mask)[1]

    def by_clip(self) -> np.ndarray:
        """Each clip's mean energy `[N]`."""
        return np.where(self.mask, self.clean, 0).sum(1) / self.mask.sum(1)


def energies(data: Latents, power: float = 1.0) -> Energies:
    """The energies of clips flattened by a radial `power` about their typical radius."""
    latents, mask = data.latents.double(), data.mask
    clean = position_energy(flatten(latents, power, typical_radius(latents, mask))).numpy()
    return Energies(clean, posterior.smooth(clean, mask.numpy()), mask.numpy(), latents.shape[1])


def table(heldout: Latents, census: pd.DataFrame, flattened: pd.DataFrame, lam: float, seed: int) -> pd.DataFrame:
    """One row per (power, t): `measured_...` from the census, and `sampling.spread` of the predicted weights.

    Two numbers of the model enter at each t: its mean loss, `measured_loss`, and the `elasticity` of a clip's loss
    to its energy. `largest_loss` is that of the best linear predictor of white data with these energies: a model that
    loses more is out of its domain. `ideal_w` and `ideal_factor_cv` know one number at all t, the `spectrum` fitted to
    the losses at power 1. `census` and `flattened` have one row per (clip, t); the latter has `power` too.
    """
    plain = energies(heldout)
    losses = census.groupby("t")["loss"].mean().to_dict()
    spectrum = sampling.fit_spectrum(plain.expected[plain.mask], losses)
    rows = []
    for power, of_power in pd.concat([census.assign(power=1.0), flattened]).groupby("power"):
        data = energies(heldout, power)
        for t, one in of_power.groupby("t"):
            of_clip = one.set_index("clip_id")["loss"].loc[heldout.clips["clip_id"]].to_numpy(float)
            slope = posterior.elasticity(data.by_clip(), of_clip)
            learnt = posterior.local_loss(data.expected, of_clip.mean(), slope, data.mask)
            ideal = sampling.ideal_loss(data.expected, t, spectrum)
            predicted, best = (
                sampling.spread(data.weights(t, loss, numpy_generator(seed, "by t", power, t)), lam)
                for loss in (learnt, ideal)
            )
            rows.append(
                {"power": power, "t": t, "lam": lam, "measured_loss": of_clip.mean(), "elasticity": slope}
                | {"largest_loss": posterior.linear_loss(data.expected, t)[data.mask].mean(), "spectrum": spectrum}
                | sampling.measured(one["w"].to_numpy(float), lam)
                | predicted
                | {f"ideal_{name}": best[name] for name in ("w", "factor_cv")}
            )
    return pd.DataFrame(rows)
