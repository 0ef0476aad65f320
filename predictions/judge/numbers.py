"""The numbers of a verdict as people read them: in the metric's own direction and unit."""

import math

from predictions.judge.verdict import Interval, Verdict
from predictions.registry.schema import AnyAtom, Bound, Intersection, On

MINUS = "\N{MINUS SIGN}"


def shown(atom: AnyAtom, on: On, x: float | None) -> str:
    """x in words: a ratio "2.4 : 1", a change "+9 %", or a number with its unit; None is "unbounded"."""
    if x is None:
        return "unbounded"
    natural = atom.sign * x
    if isinstance(atom, Bound | Intersection):
        value = atom.bound * math.exp(natural) if on.scale == "log" else atom.bound + natural
        return _with_unit(significant(value), on.unit)
    return difference(on, natural)


def difference(on: On, natural: float) -> str:
    """A difference in the metric's own direction: a change "+9 %", or a number with its unit."""
    if on.scale == "log":
        return f"{significant(100 * math.expm1(natural), sign=True)} %"
    return _with_unit(significant(natural, sign=True), on.unit)


def span(atom: AnyAtom, on: On, interval: Interval) -> str:
    """An interval of x in words, the lower natural value first."""
    low, high = interval if atom.sign > 0 else reversed(interval)
    return f"{shown(atom, on, low)} to {shown(atom, on, high)}"


def margin(atom: AnyAtom, on: On, value: float | None) -> str:
    """The margin as a size, without a direction."""
    if value is None:
        return "none"
    if on.scale == "log":
        return f"{significant(100 * math.expm1(value))} %"
    return _with_unit(significant(value), on.unit)


def effect(atom: AnyAtom, verdict: Verdict) -> str:
    """The mean of a verdict in words; empty where nothing was measured."""
    return "" if verdict.effect is None else shown(atom, atom.on[verdict.system], verdict.effect.mean)


def significant(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """`digits` significant digits, more before the decimal point where there are more, with a true minus sign."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "unbounded"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:{'+' if sign else ''}.{decimals}f}" if decimals <= 6 else f"{value:{'+' if sign else ''}.1e}"
    return text.replace("-", MINUS)


def _with_unit(number: str, unit: str) -> str:
    return number + (f" {unit}" if unit else "")
