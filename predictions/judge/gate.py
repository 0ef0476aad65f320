"""The gate: before silence means something, training must have done something and the positive control must act.

(a) and (c) are asked once for a system, (b) for every quantity.
"""

import numpy as np

from eisbach.arms import Arm
from predictions.doses import share as fieller
from predictions.judge import quantities, statistics
from predictions.judge.effects import ends
from predictions.judge.outcomes import Missing
from predictions.judge.quantities import Quantity, Tables
from predictions.judge.verdict import ArmCheck, ControlCheck, Gate, Interval, Share
from predictions.registry.schema import BASE, BASELINE, Atom, Constancy, On, Registry, System

CONSTANT = Arm("constant", 0.5)
UNTRAINED = Arm(BASE.name, adapter="none")


def gate(system: System, tables: Tables) -> Gate:
    """Whether training did something and `constant` equals the baseline, each where the system asks for it."""
    trained = _checked(lambda: _trained(system.trained, tables)) if system.trained else None
    constant = _checked(lambda: _constant(system.constant, tables)) if system.constant else None
    return Gate(trained=trained, constant=constant)


def _checked(check) -> ArmCheck:
    try:
        return check()
    except Missing as missing:
        return ArmCheck(effect=0.0, interval=(None, None), passed=False, reason=f"not measured: {missing}")


def _trained(metric: str, tables: Tables) -> ArmCheck:
    mean, interval = _log_ratio(metric, BASELINE, UNTRAINED, tables)
    passed = interval[1] is not None and interval[1] < 0
    change = f"training changes {metric} by {_percent(mean)}, 95 % {_percents(interval)}"
    return ArmCheck(effect=mean, interval=interval, passed=passed, reason=change)


def _constant(wanted: Constancy, tables: Tables) -> ArmCheck:
    mean, interval = _log_ratio(wanted.metric, CONSTANT, BASELINE, tables)
    passed = None not in interval and max(map(abs, interval)) < wanted.tolerance
    reason = (
        f"constant differs from the baseline by {_percent(mean)} of {wanted.metric}, "
        f"95 % {_percents(interval)}; {_percent(wanted.tolerance)} is allowed"
    )
    return ArmCheck(effect=mean, interval=interval, passed=passed, reason=reason)


def _log_ratio(metric: str, arm: Arm, reference: Arm, tables: Tables) -> tuple[float, Interval]:
    """The mean over seeds of the log ratio of a metric, arm over reference, and its 95 % interval."""
    values = quantities.contrast(tables, On(metric=metric, scale="log"), [arm], [reference]).values.to_numpy()
    return float(values.mean()), ends(*statistics.sign_flip_interval(values))


def control(registry: Registry, atom: Atom, system: str, tables: Tables, own: Quantity) -> ControlCheck | None:
    """Gate (b) of an atom whose x is `own`; None where it has no positive control. Raises Missing without its arms."""
    on = atom.on[system]
    if on.control is None:
        return None
    found = quantities.of_control(registry.controls[on.control], atom, on, tables).values
    acts = registry.control_acts(atom, system)
    side = "greater" if acts == "along" else "less"
    p = float(statistics.sign_flip_p(found.to_numpy(), alternative=side))
    seeds = found.index.intersection(own.values.index)
    part = fieller(own.values.loc[seeds].to_numpy(), found.loc[seeds].to_numpy())
    share = None
    if np.isfinite(part.value):
        share = Share(value=part.value, interval=ends(part.low, part.high))
    return ControlCheck(
        name=on.control,
        acts=acts,
        effect=float(found.mean()),
        p=p,
        passed=p < registry.rules.control_level,
        share=share,
    )


def _percent(value: float | None) -> str:
    return "unbounded" if value is None else f"{100 * value:.2g} %"


def _percents(interval: Interval) -> str:
    return " to ".join(map(_percent, interval))
