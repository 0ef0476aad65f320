"""Weightings by name."""

import inspect
import math
from collections.abc import Callable

from eisbach.weighting.protocol import Traits, Weighting, traits_of

_registry: dict[str, Callable[..., Weighting]] = {}


def weighting(name: str, **declared: object) -> Callable:
    """Decorator: register a class of weightings under `name` with these `Traits`.

    Raises ValueError if the name is taken, TypeError for an unknown trait.
    """

    def register(factory: Callable[..., Weighting]) -> Callable[..., Weighting]:
        if name in _registry:
            raise ValueError(f"a weighting named '{name}' exists already; choose another name")
        factory.traits = Traits(**declared)
        _registry[name] = factory
        return factory

    return register


def names() -> list[str]:
    """The registered names, in the order of registration."""
    return list(_registry)


def traits(name: str) -> Traits:
    """The traits of a registered name."""
    return traits_of(_registry[name])


def followers() -> list[str]:
    """The names of the weightings that replay another arm's factors."""
    return [name for name in _registry if traits(name).replays]


def settings_of(name: str) -> list[str]:
    """The settings that `make` takes for a registered name."""
    return list(inspect.signature(_registry[name]).parameters)


def make(name: str, **settings) -> Weighting:
    """The weighting registered as `name`.

    Raises ValueError for an unknown name or setting, listing the known ones, and for a value of wrong type or range.
    """
    if name not in _registry:
        raise ValueError(f"unknown weighting '{name}'; known are {', '.join(_registry)}")
    known = settings_of(name)
    if unknown := sorted(set(settings) - set(known)):
        raise ValueError(f"weighting '{name}' has no setting {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    for key, value in settings.items():
        _check_type(name, key, value)
    made = _registry[name](**settings)
    for key, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"the setting {key} of weighting '{name}' is {value}; it must be finite")
    return made


def _check_type(name: str, key: str, value: object) -> None:
    """Raises ValueError unless a setting has the type that the weighting's signature gives it."""
    wanted = inspect.signature(_registry[name]).parameters[key].annotation
    allowed = {int: (int,), float: (int, float), str: (str,)}.get(wanted)
    if allowed and (isinstance(value, bool) or not isinstance(value, allowed)):
        raise ValueError(f"the setting {key} of weighting '{name}' is {value!r}; it must be of type {wanted.__name__}")


def of_run(name: str, seed: int, /, **settings) -> Weighting:
    """`make` for the run of a seed: a weighting that draws gets this seed, unless `settings` name another."""
    draws = name in _registry and traits(name).draws
    return make(name, **({"seed": seed} if draws else {}) | settings)
