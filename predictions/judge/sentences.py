"""Verdicts as sentences for the report: where, the finding, the numbers, and what they do not establish."""

from predictions.judge.verdict import (
    ASSAY_FAILED,
    INCONCLUSIVE,
    NOT_TESTED,
    REFUTED,
    SUPPORTED,
    Comparison,
    Verdict,
)
from predictions.registry.schema import (
    AnyHypothesis,
    Bound,
    Equivalence,
    Exact,
    Measured,
    Noninferiority,
    Registry,
    Universal,
)

OPENING = {
    SUPPORTED: "we found that {statement}",
    REFUTED: "we found evidence against the statement that {statement}",
    INCONCLUSIVE: "we could not tell whether {statement}",
}


def sentence(hypothesis: AnyHypothesis, verdict: Verdict, registry: Registry) -> str:
    """One verdict in words: regime, seeds, finding, numbers, and what it does not establish."""
    title, statement = _title(verdict, registry), hypothesis.statement
    if verdict.label == NOT_TESTED:
        return f"On {title} it was not tested whether {statement}: {verdict.reason}."
    if verdict.label == ASSAY_FAILED:
        return f"On {title} nothing can be said on whether {statement}: the assay failed, as {verdict.reason}."
    blocks = "pairs of seeds" if "/between_seeds" in (verdict.metric or "") else "seeds"
    seeds = f" with {len(verdict.sample.seeds)} {blocks}" if verdict.sample else ""
    run = f" ({verdict.run} runs)" if verdict.run else ""
    opening = OPENING[verdict.label].format(statement=statement)
    parts = [f"On {title}{run}{seeds} {opening}: {verdict.reason}{_numbers(hypothesis, verdict)}."]
    mechanism = verdict.mechanism
    if mechanism and mechanism.label in (SUPPORTED, REFUTED, INCONCLUSIVE):
        parts.append(f"Mechanism {mechanism.label}: {mechanism.reason}{_shares(verdict)}.")
    if isinstance(hypothesis, Universal):
        parts.append("One input decides a universal statement; it does not say how often the statement fails.")
        return " ".join(parts)
    others = [plan.title for pattern, plan in registry.regimes.items() if pattern != registry.pattern(verdict.regime)]
    elsewhere = " or ".join(filter(None, (", ".join(others[:-1]), *others[-1:])))
    parts.append(f"This does not establish it for {elsewhere or 'any other system'}.")
    return " ".join(parts)


def number(value: float | None) -> str:
    """Three significant digits; None is "unbounded"."""
    return "unbounded" if value is None else f"{value:.3g}"


def _title(verdict: Verdict, registry: Registry) -> str:
    plan = registry.regimes[registry.pattern(verdict.regime)]
    name = verdict.regime.partition("/")[2]
    return plan.title if not name or "*" in name else f"{plan.title} ({name})"


def _numbers(hypothesis: AnyHypothesis, verdict: Verdict) -> str:
    estimate = verdict.estimate
    if estimate is None or estimate.interval is None or not isinstance(hypothesis, Measured):
        return ""
    bounded = isinstance(hypothesis, Bound | Exact)
    low, high = estimate.interval
    parts = [
        f"{'mean' if bounded else 'effect'} {number(estimate.effect)}",
        f"95 % interval {number(low)} to {number(high)}",
        f"bound {number(hypothesis.bound)}"
        if bounded
        else f"smallest effect of interest {number(verdict.margin.value)}",
    ]
    if not isinstance(hypothesis, Equivalence | Noninferiority):
        of = "distance" if bounded else "effect"
        parts.append(f"minimum detectable {of} {number(estimate.minimum_detectable)}")
    return f" ({'; '.join(parts)})"


def _shares(verdict: Verdict) -> str:
    compared: list[tuple[str, Comparison]] = [(one.arm, one.comparison) for one in verdict.mechanism.controls]
    shares = [f"{arm} gives {of.share:.0%}" for arm, of in compared if of is not None and of.share is not None]
    return f" ({', '.join(shares)} of the effect)" if shares else ""
