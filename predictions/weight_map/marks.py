"""Data sets on the map at t = 0: the corpus as it is and flattened, the toys, white noise."""

from collections.abc import Callable, Iterator

import pandas as pd
import torch
from torch import Tensor

from eisbach.barrier import barrier_weight
from eisbach.data.flatten import flatten, typical_radius
from eisbach.data.latents import Latents
from eisbach.seeds import torch_generator
from predictions.weight_map import sampling
from predictions.weight_map.grid import cell
from predictions.weight_map.measure import place_of
from predictions.weight_map.medium import SHAPES
from toy_models import trajectories
from toy_models.mixture import Mixture

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
    for channels, length in SHAPES.values():
        generator = torch_generator(seed, "white noise", channels, length)
        noise = torch.randn(64, channels, length, dtype=torch.float64, generator=generator)
        yield f"white noise, {channels} x {length}", noise, torch.ones(64, length, dtype=torch.bool)


def _mark(name: str, latents: Tensor, mask: Tensor, lam: float, seed: int, count: int) -> dict:
    place = place_of(latents.numpy(), mask.numpy())
    weights = barrier_weight(latents, mask).numpy()
    return {"name": name} | sampling.measured(weights, lam) | cell(place, 0.0, lam, seed, count)
