"""The regimes by name: a distribution, a network, a recipe and two lengths. Sizes were chosen on seeds 1000 and above.

Every run is measured twice: after `short` steps and after `converged` steps, where the excess risk is a stated share of
the Bayes loss (docs/toys.md). The short run is the beginning of the converged one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from eisbach.errors import UserError
from eisbach.pipeline.params import Toys
from eisbach.weighting import followers, names
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
    gate = ("baseline", "barrier", "constant", "oracle")
    network = Dit(2, 16, width=16, depth=1)
    return Regime(lambda: trajectories.curves(2), network, recipes, 400, 1600, base=wide_bursts, arms=gate)


REGIMES = {
    **{f"densities/{name}": plane(distribution) for name, distribution in densities.DISTRIBUTIONS.items()},
    **{f"trajectories/c{channels}": curves(channels) for channels in (2, 32)},
    "trajectories/dit": transformer(),
}


def check(settings: Toys) -> None:
    """Raises UserError where a name is unknown, a follower has no barrier arm to follow, or a number is too small."""
    for key, given, known in (
        ("regimes", settings.regimes, [ANALYTIC, *REGIMES]),
        ("arms", settings.arms, names()),
        ("swept", settings.swept, names()),
        ("sgd_arms", settings.sgd_arms, [arm for arm in settings.arms if arm != "edm2"]),  # it learns by AdamW
    ):
        if unknown := sorted(set(given) - set(known)):
            raise UserError(
                f"toys.{key} in params.yaml has unknown {', '.join(unknown)}; choose from {', '.join(known)}"
            )
    for key in ("arms", "sgd_arms"):
        replaying = set(followers()) & set(getattr(settings, key))
        if replaying and "barrier" not in getattr(settings, key):
            arms = ", ".join(sorted(replaying))
            raise UserError(f"toys.{key} has {arms} but no barrier to follow; add it in params.yaml")
    replaying = set(followers()) & set(settings.arms)
    if replaying & set(settings.swept) and "barrier" not in settings.swept:
        raise UserError("toys.swept has followers of the barrier but not barrier; add it in params.yaml")
    if replaying and "barrier" in settings.swept and settings.lam not in settings.lams:
        raise UserError(f"toys.lam {settings.lam} is not among toys.lams in params.yaml; add it: {settings.lams}")
    for key in ("seeds", "regimes", "arms"):
        given = getattr(settings, key)
        if not given or len(set(given)) < len(given):
            raise UserError(f"toys.{key} in params.yaml is {given}; give at least one entry and no duplicates")
    for key, least in (("block", 1), ("samples", 2), ("heldout", 2)):
        if getattr(settings, key) < least:
            raise UserError(f"toys.{key} is {getattr(settings, key)} in params.yaml; give at least {least}")
    if not settings.length > 0:
        raise UserError(f"toys.length is {settings.length} in params.yaml; give a share of the training steps above 0")
