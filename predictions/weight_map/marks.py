"""Data sets on the map (the corpus as it is and flattened, the toys, white noise), and the census against the map."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

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
BAND_LAMS = (0.5, 1.0)
BAND_TIMES = (0.0, 0.1, 0.5, 0.9, 1.0)
CORPUS_SPECTRUM = 2.3  # about that of the small corpus (table by_t)
MORE = 4  # times as many draws for a mark: its spread is compared with a measured one
TOYS: dict[str, Callable[[], Mixture]] = {
    "toy curves, C = 2": lambda: trajectories.curves(2),
    "toy curves, C = 32": lambda: trajectories.curves(32),
    "toy closed form, C = 64": lambda: trajectories.closed_form(64, 32),
}


def table(archive: Latents, powers: list[float], lam: float, seed: int, count: int) -> pd.DataFrame:
    """One row per data set at t = 0, where the ideal output is minus the data.

    Columns: `name`; `measured_...`, statistics of the data's own weights; the place, and the map's statistics there.
    The statistics of a place were chosen on the held-out clips; the training clips are other pieces.
    """
    rows = [
        _mark(name, one, mask, lam, seed, MORE * count) for name, one, mask in _data_sets(archive, powers, seed, count)
    ]
    return pd.DataFrame(rows)


def by_t(
    heldout: Latents, census: pd.DataFrame, flattened: pd.DataFrame, lam: float, seed: int, count: int
) -> pd.DataFrame:
    """One row per (power, t): `measured_...` from the census, the place, and the map's statistics there.

    The prediction knows the place of the clean latents and one number of the model: the `spectrum` that fits the
    census' loss by t at power 1. A `measured_loss` above that of minus the data says that the model is out of its
    domain. `census` and `flattened` have one row per (clip, t); the latter has `power` too.
    """
    latents, mask = heldout.latents.double(), heldout.mask
    radius = typical_radius(latents, mask)
    energy = position_energy(latents)[mask].numpy()
    spectrum = sampling.fit_spectrum(energy, census.groupby("t")["loss"].mean().to_dict())
    rows = []
    for power, of_power in pd.concat([census.assign(power=1.0), flattened]).groupby("power"):
        place = place_of(flatten(latents, power, radius).numpy(), mask.numpy())
        for t, one in of_power.groupby("t"):
            predicted = cell(replace(place, spectrum=spectrum), t, lam, seed, count)
            measured = _measured(one["w"].to_numpy(float), lam) | {"measured_loss": one["loss"].mean()}
            rows.append({"power": power} | measured | predicted)
    return pd.DataFrame(rows)


def band(words: str, seed: int, count: int) -> pd.DataFrame:
    """Cells of Medium at a length ("10 s", "120 s"), by t and lambda, over what is unknown without its weights.

    Latents of unit rms, as the bottleneck normalises them. The deviation of log energy is 0, which its regulariser asks
    for, to .6, that of the small corpus, whose codec has no such regulariser. Samples are alike, or as different as
    those of the small corpus. The data are white, or have its spectrum.
    """
    channels, length = MEDIUM[words]
    places = [Place(channels, length)] + [
        Place(channels, length, 1.0, deviation, correlation, heterogeneity)
        for deviation in (0.3, 0.6)
        for correlation in (0.9, 0.97)
        for heterogeneity in (0.0, 0.5)
    ]
    rows = [
        cell(replace(place, spectrum=spectrum), t, lam, seed, count)
        for place in places
        for spectrum in (0.0, CORPUS_SPECTRUM)
        for t in BAND_TIMES
        for lam in BAND_LAMS
    ]
    return pd.DataFrame(rows).assign(clip=words)


def _data_sets(archive: Latents, powers: list[float], seed: int, count: int) -> Iterator[tuple[str, Tensor, Tensor]]:
    """(name, latents `[N, C, T]`, mask `[N, T]`) of every data set."""
    heldout = archive.split("heldout")
    latents, mask = heldout.latents.double(), heldout.mask
    radius = typical_radius(latents, mask)
    yield "small corpus", latents, mask
    for power in powers:
        yield f"small corpus, g = {power:g}", flatten(latents, power, radius), mask
    training = archive.split("finetune")
    yield "small corpus, training clips", training.latents.double(), training.mask
    for name, distribution in TOYS.items():
        made = distribution()
        drawn, _ = made.sample(count, torch_generator(seed, "toy marks", name))
        yield name, drawn, torch.ones(drawn[:, 0].shape, dtype=torch.bool)
    for channels, length in MEDIUM.values():
        generator = torch_generator(seed, "white noise", channels, length)
        noise = torch.randn(64, channels, length, dtype=torch.float64, generator=generator)
        yield f"white noise, {channels} x {length}", noise, torch.ones(64, length, dtype=torch.bool)


def _mark(name: str, latents: Tensor, mask: Tensor, lam: float, seed: int, count: int) -> dict:
    place = place_of(latents.numpy(), mask.numpy())
    weights = barrier_weight(latents, mask).numpy()
    return {"name": name} | _measured(weights, lam) | cell(place, 0.0, lam, seed, count)


def _measured(weights: np.ndarray, lam: float) -> dict[str, float]:
    """Statistics of measured weights `[N]`, with names that begin with `measured_`."""
    found = sampling.spread(weights, lam)
    return {f"measured_{name}": value for name, value in found.items()}
