"""The regimes by name: a distribution, a network, a recipe and two lengths. Sizes were chosen on seeds 1000 and above.

Every run is measured twice: after `short` steps and after `converged` steps, where the excess risk is a stated share of
the Bayes loss (docs/toys.md). The short run is the beginning of the converged one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from toy_models import densities, trajectories
from toy_models.dit import Dit
from toy_models.ensemble import Recipe
from toy_models.mixture import Mixture
from toy_models.networks import Mixer, Mlp, Network

ANALYTIC = "analytic"


@dataclass(frozen=True)
class Regime:
    distribution: Callable[[], Mixture]
    network: Network
    recipes: dict[str, Recipe]  # by optimizer: "adamw", and "sgd" where it is used
    short: int  # steps
    converged: int  # steps
    base: Callable[[], Mixture] | None = None  # distribution that the adapters' bases are trained on; None: no adapters
    arms: tuple[str, ...] | None = None  # the arms trained, at one lambda; None: all arms of the settings


SGD_CLIP = 10.0  # above 99 % of the norms of the baseline's gradients on `c2`, and above all in the other regimes


def plane(distribution: Callable[[], Mixture]) -> Regime:
    recipes = {"adamw": Recipe("adamw", 4e-3), "sgd": Recipe("sgd", 3e-2, clip=SGD_CLIP)}
    return Regime(distribution, Mlp(1, 2, width=48), recipes, short=100, converged=1600)


def curves(channels: int) -> Regime:
    recipes = {"adamw": Recipe("adamw", 4e-3, batch=32), "sgd": Recipe("sgd", 5e-3, batch=32, clip=SGD_CLIP)}
    network = Mixer(channels, 16, width=48)
    base = wide_bursts if channels == 2 else None
    return Regime(lambda: trajectories.curves(channels), network, recipes, short=100, converged=2000, base=base)


def wide_bursts() -> Mixture:
    """The distribution on which the adapters' bases are trained: wider bursts at other positions."""
    return trajectories.curves(2, centres=(0.3, 0.7), width=0.6)


def transformer() -> Regime:
    """Two-channel curves and a tiny DiT, for the claims about adapters: the gate's arms in full, then LoRA and DoRA."""
    recipes = {"adamw": Recipe("adamw", 5e-3, batch=8, average=0.995)}
    gate = ("baseline", "barrier", "constant", "oracle", "class", "class_reversed")
    network = Dit(2, 16, width=16, depth=1)
    return Regime(lambda: trajectories.curves(2), network, recipes, 400, 1600, base=wide_bursts, arms=gate)


REGIMES = {
    **{f"densities/{name}": plane(distribution) for name, distribution in densities.DISTRIBUTIONS.items()},
    **{f"trajectories/c{channels}": curves(channels) for channels in (2, 32)},
    "trajectories/dit": transformer(),
}
