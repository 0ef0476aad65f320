"""The arms of `finetune.arms` in params.yaml, as tables name them."""

from eisbach.arms import Arm
from eisbach.pipeline.params import Finetune
from eisbach.weighting import names, plugins, traits


def arms(settings: Finetune) -> dict[str, Arm]:
    """Arm by name. One that replays another arm's factors has that arm's lambda. Imports `settings.plugins`."""
    plugins.load(settings.plugins)
    return {name: _arm(name, settings) for name in settings.arms}


def _arm(name: str, settings: Finetune) -> Arm:
    given = settings.arms[name]
    replays = given.weighting in names() and traits(given.weighting).replays
    lam = given.settings.get("lam")
    if lam is None and replays and given.follows in settings.arms and given.follows != name:
        lam = _arm(given.follows, settings).lam
    return Arm(name, None if lam is None else float(lam), settings.adapter, given.follows if replays else "")
