"""Sentences for the report, as careful as the numbers: what was found where, and where it was not looked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from predictions.judge.evidence import ASSAY_FAILED, INCONCLUSIVE, NOT_TESTED, REFUTED, SUPPORTED
from predictions.registry.schema import Registry

if TYPE_CHECKING:
    from predictions.judge.judge import Verdict

OPENING = {
    SUPPORTED: "we found that {statement}",
    REFUTED: "we found evidence against the statement that {statement}",
    INCONCLUSIVE: "we could not tell whether {statement}",
}


def sentence(verdict: Verdict, registry: Registry) -> str:
    """One verdict in words: regime, seeds, finding, numbers, and what it does not establish."""
    title = _title(verdict, registry)
    if verdict.effect_label == NOT_TESTED:
        return f"On {title} it was not tested whether {verdict.statement}: {verdict.reason}."
    if verdict.effect_label == ASSAY_FAILED:
        return f"On {title} nothing can be said on whether {verdict.statement}: the assay failed, as {verdict.reason}."
    blocks = "pairs of seeds" if "/between_seeds" in (verdict.metric or "") else "seeds"
    seeds = f" with {verdict.n} {blocks}" if verdict.n else ""
    run = f" ({verdict.run} runs)" if verdict.run else ""
    opening = OPENING[verdict.effect_label].format(statement=verdict.statement)
    parts = [f"On {title}{run}{seeds} {opening}: {verdict.reason}{_numbers(verdict)}."]
    if verdict.mechanism_label in (SUPPORTED, REFUTED, INCONCLUSIVE):
        parts.append(f"Mechanism {verdict.mechanism_label}: {verdict.mechanism_reason}{_shares(verdict)}.")
    if verdict.kind == "universal":
        parts.append("One input decides a universal statement; it does not say how often the statement fails.")
        return " ".join(parts)
    others = [plan.title for pattern, plan in registry.regimes.items() if pattern != registry.pattern(verdict.regime)]
    elsewhere = " or ".join(filter(None, (", ".join(others[:-1]), *others[-1:])))
    parts.append(f"This does not establish it for {elsewhere or 'any other system'}.")
    return " ".join(parts)


def number(value: float | None) -> str:
    """Three significant digits; what is missing or without bound is said in words."""
    if value is None or math.isnan(value):
        return "unknown"
    return "unbounded" if math.isinf(value) else f"{value:.3g}"


def _title(verdict: Verdict, registry: Registry) -> str:
    plan = registry.regimes[registry.pattern(verdict.regime)]
    name = verdict.regime.partition("/")[2]
    return plan.title if not name or "*" in name else f"{plan.title} ({name})"


def _numbers(verdict: Verdict) -> str:
    if verdict.effect is None or verdict.interval is None:
        return ""
    what = "mean" if verdict.bound is not None else "effect"
    low, high = verdict.interval
    parts = [f"{what} {number(verdict.effect)}", f"95 % interval {number(low)} to {number(high)}"]
    if verdict.bound is not None:
        parts.append(f"bound {number(verdict.bound)}")
    else:
        parts.append(f"smallest effect of interest {number(verdict.margin)}")
    if verdict.kind not in ("equivalence", "noninferiority"):
        parts.append(f"minimum detectable {'distance' if verdict.bound is not None else 'effect'} "
                     f"{number(verdict.minimum_detectable_effect)}")  # fmt: skip
    return f" ({'; '.join(parts)})"


def _shares(verdict: Verdict) -> str:
    shares = [
        f"{c.arm} gives {c.share:.0%}" for c in verdict.controls if c.share is not None and not math.isnan(c.share)
    ]
    return f" ({', '.join(shares)} of the effect)" if shares else ""
