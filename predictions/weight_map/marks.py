"""Data sets on the map: the corpus as it is and flattened, the toys, white noise; and the census against the map."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from eisbach.barrier import barrier_weight, position_energy
from eisbach.data.flatten import flatten, typical_radius
from eisbach.data.latents import Latents
from eisbach.seeds import torch_generator
from predictions.weight_map import sampling
from predictions.weight_map.grid import cell
from predictions.weight_map.measure import place_of
from predictions.weight_map.place import Place
from toy_models import trajectories
from toy_models.mixture import Mixture

MEDIUM = {"10 s": (256, 108), "120 s": (256, 1292)}  # channels and positions of Stable Audio 3 Medium's latents
TOYS = {
    "curves, C = 2": lambda: trajectories.curves(2),
    "curves, C = 32": lambda: trajectories.curves(32),
    "closed form, C = 64": lambda: trajectories.closed_form(64, 32),
}


def mark(name: str, latents: torch.Tensor, mask: torch.Tensor, lam: float, seed: int, count: int) -> dict:
    """The row of one data set `[N, C, T]`: its place, its clean weights (`measured_...`) and the map's at its place."""
    place = place_of(latents.numpy(), mask.numpy())
    weights = barrier_weight(latents.double(), mask).numpy()
    found = sampling.statistics(sampling.Draws(weights, weights, np.zeros(len(weights))), lam)
    measured = {f"measured_{key}": found[key] for key in ("w", "w_se", "factor_cv", "factor_cv_se")}
    return {"name": name} | measured | cell(place, 0.0, lam, seed, count)


def table(heldout: Latents, powers: list[float], lam: float, seed: int, count: int) -> pd.DataFrame:
    """One row per data set, at t = 0, where the ideal output is minus the data."""
    latents, mask = heldout.latents.double(), heldout.mask
    radius = typical_radius(latents, mask)
    sets = {"corpus": latents} | {f"corpus, g = {power:g}": flatten(latents, power, radius) for power in powers}
    rows = [mark(name, one, mask, lam, seed, count) for name, one in sets.items()]
    for name, made in TOYS.items():
        rows.append(_mark_drawn(name, _drawn(made(), count, seed), lam, seed, count))
    for words, (channels, length) in MEDIUM.items():
        noise = torch.randn(
            min(count, 64), channels, length, dtype=torch.float64, generator=torch_generator(seed, "white", words)
        )
        rows.append(_mark_drawn(f"white noise, {channels} x {length}", noise, lam, seed, count))
    return pd.DataFrame(rows)


def by_t(
    heldout: Latents, census: pd.DataFrame, flattened: pd.DataFrame, lam: float, seed: int, count: int
) -> tuple[pd.DataFrame, float]:
    """One row per (power, t): `measured_...` from the census and the map's prediction; and the fitted spectrum.

    The prediction knows the clean latents' place and one number of the model, the spectrum, which is fitted to the
    census' loss by t. `census` and `flattened` have one row per (clip, t); the latter has `power` too.
    """
    latents, mask = heldout.latents.double(), heldout.mask
    energy = position_energy(latents)[mask].numpy()
    spectrum = sampling.fit_spectrum(energy, census.groupby("t")["loss"].mean().to_dict())
    radius = typical_radius(latents, mask)
    rows = []
    for (power, t), one in pd.concat([census.assign(power=1.0), flattened]).groupby(["power", "t"]):
        place = place_of(flatten(latents, power, radius).numpy(), mask.numpy())
        weights = one["w"].to_numpy(float)
        measured = sampling.statistics(sampling.Draws(weights, weights, np.zeros(len(weights))), lam)
        row = {f"measured_{key}": measured[key] for key in ("w", "w_se", "factor_cv", "factor_cv_se")}
        rows.append({"power": power} | row | cell(replace(place, spectrum=spectrum), t, lam, seed, count))
    return pd.DataFrame(rows), spectrum


def band(words: str, t: float, lam: float, seed: int, count: int) -> pd.DataFrame:
    """Cells of Medium at a length ("10 s", "120 s") and t, over what is not known without its weights.

    Unit scale, as its bottleneck normalises; deviations of log energy 0, .2, .4 and .6, where 0 is what its regulariser
    asks for and .6 is about the small corpus without one; data white or as structured as the small corpus.
    """
    channels, length = MEDIUM[words]
    places = [
        Place(channels, length, deviation=deviation, correlation=correlation, spectrum=spectrum)
        for deviation in (0.0, 0.2, 0.4, 0.6)
        for correlation in ((0.9,) if deviation == 0 else (0.9, 0.97))
        for spectrum in ((0.0,) if t in (0.0, 1.0) else (0.0, 2.3))
    ]
    rows = [cell(place, t, lam, seed, count) for place in places]
    return pd.DataFrame(rows).assign(length_name=words)


def _mark_drawn(name: str, drawn: torch.Tensor, lam: float, seed: int, count: int) -> dict:
    return mark(name, drawn, torch.ones(drawn[:, 0].shape, dtype=torch.bool), lam, seed, count)


def _drawn(distribution: Mixture, count: int, seed: int) -> torch.Tensor:
    return distribution.sample(count, torch_generator(seed, "toy marks", *distribution.shape))[0]
