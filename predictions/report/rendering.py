"""The Jinja environment, and the words and glyphs that templates ask for."""

import math
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from predictions.judge.validity import base_metric
from predictions.judge.verdict import Comparison, Estimate, Interval, Verdict
from predictions.registry.schema import (
    AnyHypothesis,
    Bound,
    Directed,
    Exact,
    Measured,
    Statistical,
    Universal,
    subtracted,
)
from predictions.report import theme
from predictions.report.claims import order
from predictions.report.intervals import interval
from predictions.report.text import markdown, number, short, visible

STATIC = files("predictions.report").joinpath("static")


def environment() -> Environment:
    """HTML templates are escaped; `|safe` is only for markup that was made here."""
    made = Environment(
        loader=PackageLoader("predictions.report"),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": number,
        "percent": percent,
        "shown": visible,
        "short": short,
        "md": markdown,
        "metric_name": theme.metric_name,
        "capitalised": lambda words: words[:1].upper() + words[1:],
    }
    made.globals |= {
        "sign": theme.sign,
        "regime_name": theme.regime_name,
        "glyph": glyph,
        "numbers": numbers,
        "span": span,
        "plan": plan,
        "invalid": invalid,
        "subtracted": subtracted,
        "skipped": skipped,
    }
    return made


def percent(share: float | None) -> str:
    return "unknown" if share is None or math.isnan(share) else f"{share:.1%}".replace("-", "\N{MINUS SIGN}")


def span(judged: Estimate | Comparison | None, *, sign: bool = True) -> str:
    """The interval in words; empty where there is none or neither end is bounded."""
    if judged is None or not _bounded(judged.interval):
        return ""
    low, high = ends(judged.interval)
    return f"{number(low, sign=sign)} to {number(high, sign=sign)}"


def numbers(registered: AnyHypothesis, verdict: Verdict) -> str:
    """Effect and interval of a verdict, or the counterexample or reason that it has instead."""
    if verdict.counterexample:
        tried = f"{verdict.counterexample.tried} inputs, no counterexample"
        return "a counterexample" if verdict.counterexample.found else tried
    if verdict.estimate is None:
        return verdict.reason
    bounded = isinstance(registered, Bound | Exact)
    inside = span(verdict.estimate, sign=not bounded).replace(" to ", ", ")
    if not inside and verdict.estimate.interval:
        inside = f"no interval from {len(verdict.sample.seeds)} seeds"
    effect = f"{number(verdict.estimate.effect, sign=not bounded)}{inside and f' [{inside}]'}"
    return f"{effect}, {claimed(registered)}" if bounded else effect


def claimed(registered: AnyHypothesis) -> str:
    """The claimed direction or value; empty where the kind has neither."""
    if isinstance(registered, Exact):
        return f"claimed equal to {number(registered.bound)}"
    if isinstance(registered, Bound):
        return f"claimed {registered.direction} than {number(registered.bound)}"
    return f"claimed {registered.direction}" if isinstance(registered, Directed) else ""


def contrast(registered: AnyHypothesis) -> str:
    """`barrier@0.5 against baseline`; empty for a hypothesis without arms."""
    if not isinstance(registered, Measured):
        return ""
    arms, against = (", ".join(map(str, arms)) for arms in (registered.arms, subtracted(registered)))
    return f"{arms} against {against}" if against else arms


def plan(registered: AnyHypothesis) -> list[str]:
    """The hypothesis as registered, in short phrases: kind, metric, arms, claim, family."""
    named = " or ".join(map(theme.metric_name, metrics(registered)))
    family = registered.family if isinstance(registered, Statistical | Universal) else None
    phrases = [registered.kind, named, contrast(registered), claimed(registered), family and f"{family} family"]
    return [phrase for phrase in phrases if phrase]


def skipped(registered: AnyHypothesis) -> list[tuple[str, str]]:
    """The regimes that the hypothesis leaves out, with the reasons, in the order of the pages."""
    return sorted(registered.skip.items(), key=lambda item: order(item[0]))


def metrics(registered: AnyHypothesis) -> list[str]:
    """The names that a hypothesis gives its metric on any regime, each once."""
    if not isinstance(registered, Measured):
        return []
    metric = registered.metric
    return [metric] if isinstance(metric, str) else list(dict.fromkeys(metric.values()))


def invalid(registered: AnyHypothesis, measured: dict[str, dict]) -> str | None:
    """Why the metric is invalid on music, None if it is valid; `measured` is `eisbach.metrics.validity.load()`."""
    judged = [measured[base] for base in map(base_metric, metrics(registered)) if base in measured]
    return next((one["reason"] for one in judged if not one["valid"]), None)


def glyph(registered: AnyHypothesis, verdict: Verdict) -> str:
    """The verdict's interval as a picture of one line; empty when it has no effect."""
    estimate = verdict.estimate
    if estimate is None:
        return ""
    bounded = isinstance(registered, Bound | Exact)
    low, high = ends(estimate.interval)
    return interval(
        estimate.effect, low, high,
        center=registered.bound if bounded else 0.0,
        margin=verdict.margin.value if verdict.margin and not isinstance(registered, Bound) else 0.0,
        css=theme.sign(verdict.label).css,
        alt=f"{verdict.label}: {numbers(registered, verdict)}",
    )  # fmt: skip


def ends(interval: Interval | None) -> tuple[float, float]:
    """Low and high end, infinite where unbounded; NaN where there is no interval or neither end is bounded."""
    if not _bounded(interval):
        return math.nan, math.nan
    low, high = interval
    return -math.inf if low is None else low, math.inf if high is None else high


def _bounded(interval: Interval | None) -> bool:
    return interval is not None and any(end is not None for end in interval)
