"""Templates, and the few words and glyphs that they ask for."""

import math
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from predictions.judge.outcomes import known_as
from predictions.report import theme
from predictions.report.intervals import interval
from predictions.report.text import markdown, number, short, visible

STATIC = files("predictions.report").joinpath("static")


def environment() -> Environment:
    """HTML is escaped in templates that are HTML; `|safe` is only for markup that was made here."""
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
        "known_as": known_as,
        "metric_name": theme.metric_name,
        "capitalised": lambda words: words[:1].upper() + words[1:],
    }
    made.globals |= {
        "sign": theme.sign,
        "regime_name": theme.regime_name,
        "glyph": glyph,
        "numbers": numbers,
        "span": span,
    }
    return made


def percent(share: float | None) -> str:
    return "unknown" if share is None or math.isnan(share) else f"{share:.1%}".replace("-", "\N{MINUS SIGN}")


def span(judged: dict, *, sign: bool = True) -> str:
    """A verdict's or control's interval in words, empty when neither end has a bound, which is None in the JSON."""
    if not _bounded(judged):
        return ""
    low, high = _ends(judged)
    return f"{number(low, sign=sign)} to {number(high, sign=sign)}"


def numbers(verdict: dict) -> str:
    """Effect and interval of a verdict, or what it has instead of them."""
    if verdict["counterexample"]:
        found = verdict["counterexample"]["found"]
        return "a counterexample" if found else f"{verdict['counterexample']['tried']} inputs, no counterexample"
    if verdict["effect"] is None:
        return verdict["reason"]
    bound = verdict["bound"]
    inside = span(verdict, sign=bound is None).replace(" to ", ", ")
    if not inside and verdict["interval"]:
        inside = f"no interval from {verdict['n']} seeds"
    effect = f"{number(verdict['effect'], sign=bound is None)}{inside and f' [{inside}]'}"
    if bound is None:
        return effect
    return f"{effect}, claimed {verdict['direction'] + ' than' if verdict['direction'] else 'equal to'} {number(bound)}"


def glyph(verdict: dict) -> str:
    """The verdict's interval as a picture of one line; empty when it has no effect."""
    if verdict["effect"] is None:
        return ""
    low, high = _ends(verdict)
    return interval(
        verdict["effect"], low, high,
        center=verdict["bound"] or 0.0,
        margin=(verdict["margin"] or 0.0) if verdict["bound"] is None or verdict["kind"] == "exact" else 0.0,
        css=theme.sign(verdict["effect_label"]).css,
        alt=f"{verdict['effect_label']}: {numbers(verdict)}",
    )  # fmt: skip


def _bounded(judged: dict) -> bool:
    return judged["interval"] is not None and any(end is not None for end in judged["interval"])


def _ends(judged: dict) -> tuple[float, float]:
    if not _bounded(judged):
        return math.nan, math.nan
    low, high = judged["interval"]
    return -math.inf if low is None else low, math.inf if high is None else high
