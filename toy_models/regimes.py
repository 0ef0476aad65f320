"""The regimes by name: a law, a network, a recipe and two lengths; sizes were chosen on seeds 1000 and above.

Of every run two results are kept: after `short` steps, on the way, and after `converged` ones, where the excess risk is a
stated share of the Bayes loss (docs/toys.md). The two are the same run.
"""

from collections.abc import Callable
from dataclasses import dataclass

from toy_models import densities, trajectories
from toy_models.ensemble import Recipe
from toy_models.mixture import Mixture
from toy_models.networks import Mixer, Mlp, Network

ANALYTIC = "analytic"


@dataclass(frozen=True)
class Regime:
    law: Callable[[], Mixture]
    network: Network
    recipes: dict[str, Recipe]  # by optimizer
    short: int
    converged: int


def plane(law: Callable[[], Mixture]) -> Regime:
    recipes = {"adamw": Recipe("adamw", 4e-3), "sgd": Recipe("sgd", 3e-2)}
    return Regime(law, Mlp(1, 2, width=48), recipes, short=200, converged=1600)


def curves(channels: int) -> Regime:
    recipes = {"adamw": Recipe("adamw", 4e-3, batch=32), "sgd": Recipe("sgd", 3e-2, batch=32)}
    return Regime(
        lambda: trajectories.curves(channels), Mixer(channels, 16, width=48), recipes, short=150, converged=1200
    )


REGIMES = {
    **{f"densities/{name}": plane(law) for name, law in densities.LAWS.items()},
    **{f"trajectories/c{channels}": curves(channels) for channels in (2, 32)},
}
