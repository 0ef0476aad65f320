"""The Jinja environment, and the words and glyphs that templates ask for."""

import math
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from predictions.judge import numbers
from predictions.judge.headline import phrase
from predictions.judge.verdict import Interval, Verdict
from predictions.registry.schema import AnyAtom, Compared
from predictions.report import theme
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
        "effect": numbers.effect,
        "phrase": phrase,
        "span": span,
        "margin": margin,
        "member": member,
        "share": share,
        "control_effect": control_effect,
        "plan": plan,
    }
    return made


def percent(share: float | None) -> str:
    return "unknown" if share is None or math.isnan(share) else f"{share:.1%}".replace("-", "\N{MINUS SIGN}")


def span(atom: AnyAtom, verdict: Verdict, which: str = "interval") -> str:
    """An interval of the verdict in words: empty where nothing was measured, "unbounded" without either end."""
    found = getattr(verdict.effect, which, None)
    if found is None:
        return ""
    if found == (None, None):
        return "unbounded"
    return numbers.span(atom, atom.on[verdict.system], found)


def margin(atom: AnyAtom, verdict: Verdict) -> str:
    """The margin with its reason; empty for kinds that have none."""
    if not atom.needs_margin:
        return ""
    return f"{numbers.margin(atom, atom.on[verdict.system], verdict.margin)} ({verdict.margin_because})"


def member(atom: AnyAtom, verdict: Verdict, x: float) -> str:
    """A member's mean in words."""
    return numbers.shown(atom, atom.on[verdict.system], x)


def control_effect(atom: AnyAtom, verdict: Verdict) -> str:
    """The positive control's effect in words: always a difference, whatever the atom is."""
    return numbers.difference(atom.on[verdict.system], atom.sign * verdict.control.effect)


def share(verdict: Verdict) -> str:
    """The effect as a share of the positive control's, with its interval; empty where there is none."""
    found = verdict.control.share if verdict.control else None
    if found is None:
        return ""
    low, high = (percent(end) if end is not None else "unbounded" for end in found.interval)
    return f"{percent(found.value)} of it, 95 % {low} to {high}" if None not in found.interval else ""


def plan(atom: AnyAtom) -> list[str]:
    """The atom as registered, in short phrases: kind, metrics, arms, direction or bound."""
    named = " or ".join(dict.fromkeys(theme.metric_name(on.metric) for on in atom.on.values()))
    phrases = [atom.kind.replace("_", " "), named]
    if isinstance(atom, Compared):
        plus, minus = (", ".join(map(str, arms)) for arms in (atom.plus, atom.minus))
        phrases += [f"{plus} against {minus}", f"claimed {atom.direction}"]
    else:
        phrases += [", ".join(map(str, atom.arms)), f"claimed {atom.direction} than {number(float(atom.bound))}"]
    return phrases


def glyph(atom: AnyAtom, verdict: Verdict) -> str:
    """The deciding interval of x as a picture of one line, the claim's side on the right; empty without an effect."""
    if verdict.effect is None:
        return ""
    low, high = ends(verdict.effect.interval)
    return interval(
        verdict.effect.mean, low, high,
        margin=verdict.margin or 0.0,
        css=theme.sign(verdict.word).css,
        alt=f"{phrase(atom, verdict)}, interval {span(atom, verdict)}",
    )  # fmt: skip


def ends(interval: Interval) -> tuple[float, float]:
    """Low and high end, infinite where unbounded; NaN where neither end is bounded."""
    low, high = interval
    if low is None and high is None:
        return math.nan, math.nan
    return -math.inf if low is None else low, math.inf if high is None else high
