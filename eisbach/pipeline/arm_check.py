"""Checks of the arms in params.yaml against the registry of weightings; `params.load` avoids its torch."""

from collections.abc import Mapping

from eisbach import weighting
from eisbach.errors import UserError
from eisbach.pipeline.params import Finetune, Toys
from eisbach.weighting import Weighting, traits_of

BASE = "base"  # the arm without an adapter: what every other arm started from


def taken_names(settings: Finetune) -> set[str]:
    """The names that an imported adapter cannot have: of arms and of weightings."""
    weighting.plugins.load(settings.plugins)
    return {BASE, *settings.arms, *weighting.names()}


def finetune(settings: Finetune) -> None:
    """Raises UserError where `finetune.arms` has an unknown weighting, a setting that its weighting does not take, the
    name of the untrained model, or of a weighting for an arm of another one, or a `follows` that cannot be followed or
    would be ignored.
    """
    weighting.plugins.load(settings.plugins)
    if BASE in settings.arms:
        raise UserError(f"finetune.arms.{BASE} in params.yaml has the name of the untrained model; rename that arm")
    made = {}
    for name, arm in settings.arms.items():
        try:
            made[name] = weighting.make(arm.weighting, **arm.settings)
        except ValueError as error:
            raise UserError(f"finetune.arms.{name} in params.yaml: {error}; correct it") from error
        if name in weighting.names() and name != arm.weighting:
            raise UserError(
                f"finetune.arms.{name} in params.yaml has the weighting '{arm.weighting}', but '{name}' is the name of "
                "another weighting, for which its results would be taken; give the arm another name"
            )
        if arm.follows != "barrier" and not traits_of(made[name]).replays:
            raise UserError(
                f"finetune.arms.{name}.follows is '{arm.follows}' in params.yaml, but '{arm.weighting}' follows no "
                "arm; remove it"
            )
    followed(made, settings)


def followed(weightings: Mapping[str, Weighting], settings: Finetune) -> dict[str, str]:
    """Arm -> the arm it follows, for arms that replay factors. Raises UserError where that arm cannot be followed."""
    known = [arm for arm, made in weightings.items() if not traits_of(made).replays]
    found = {}
    for arm, made in weightings.items():
        if not traits_of(made).replays:
            continue
        leader = settings.arms[arm].follows
        if leader not in known:
            raise UserError(
                f"finetune.arms.{arm}.follows is '{leader}' in params.yaml, which is not a trained arm that it can "
                f"replay; choose one of {', '.join(known) or 'none: train an arm such as barrier'}"
            )
        found[arm] = leader
    return found


def toys(settings: Toys) -> None:
    """Raises UserError where an arm is unknown or would be ignored, and where a follower has no barrier to follow."""
    for key, given, known in (
        ("arms", settings.arms, weighting.names()),
        ("swept", settings.swept, settings.arms),
        ("sgd_arms", settings.sgd_arms, [arm for arm in settings.arms if arm != "edm2"]),  # it learns by AdamW
    ):
        if unknown := sorted(set(given) - set(known)):
            raise UserError(
                f"toys.{key} in params.yaml has unknown {', '.join(unknown)}; choose from {', '.join(known)}"
            )
    followers = set(weighting.followers())
    for key in ("arms", "sgd_arms"):
        replaying = followers & set(getattr(settings, key))
        if replaying and "barrier" not in getattr(settings, key):
            arms = ", ".join(sorted(replaying))
            raise UserError(f"toys.{key} has {arms} but no barrier to follow; add it in params.yaml")
    replaying = followers & set(settings.arms)
    if replaying & set(settings.swept) and "barrier" not in settings.swept:
        raise UserError("toys.swept has followers of the barrier but not barrier; add it in params.yaml")
    if replaying and "barrier" in settings.swept and settings.lam not in settings.lams:
        raise UserError(f"toys.lam {settings.lam} is not among toys.lams in params.yaml; add it: {settings.lams}")
