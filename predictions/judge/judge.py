"""The judge: the table of outcomes and the registry in, one verdict per hypothesis, regime and run out.

Order of work for each regime and run: the gate; the evidence of every hypothesis; Holm's correction within each
family; labels and mechanisms; conjunctions; sentences. A verdict depends on its own regime and run alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from predictions.judge import controls, families, words
from predictions.judge.contrast import Contrast, contrast
from predictions.judge.outcomes import Missing, Outcomes, check_seeds, pivot
from predictions.judge.sentences import sentence
from predictions.judge.validity import base_metric
from predictions.judge.verdict import (
    ASSAY_FAILED,
    INCONCLUSIVE,
    NOT_TESTED,
    REFUTED,
    Estimate,
    Gate,
    Label,
    Sample,
    SearchResult,
    Status,
    Verdict,
)
from predictions.registry.schema import (
    AnyHypothesis,
    Conjunction,
    Difference,
    Equivalence,
    Exact,
    Hypothesis,
    Interaction,
    Measured,
    Noninferiority,
    Regime,
    Registry,
    Run,
    Trend,
    Universal,
)


@dataclass(frozen=True)
class Checkout:
    """Whether a run can be confirmatory: everything committed, the registry too, and this registry sealed before it."""

    clean: bool
    registry_committed: bool
    sealed: bool


@dataclass(frozen=True)
class Judgement:
    """Verdicts by hypothesis, in the registry's order, then by regime and run; and the gate of each regime and run."""

    verdicts: dict[str, tuple[Verdict, ...]]
    gates: dict[str, dict[Run, Gate]]


@dataclass(frozen=True)
class Setting:
    """One regime and run, and the seeds' status; `pattern` is the one that the regime's name matches."""

    pattern: str
    plan: Regime
    regime: str
    run: Run
    status: Status | None = None

    def verdict(self, hypothesis: Hypothesis, label: Label, reason: str, **parts: object) -> Verdict:
        metric = hypothesis.metric_on(self.pattern) if isinstance(hypothesis, Measured) else None
        where = {"regime": self.regime, "run": self.run, "metric": metric}
        return _verdict(label, reason, **where, **({"status": self.status} | parts))

    def of_contrast(self, hypothesis: Measured, label: Label, reason: str, found: Contrast, **parts) -> Verdict:
        return self.verdict(hypothesis, label, reason, sample=found.sample, margin=found.margin, **parts)


def judge(
    registry: Registry,
    table: pd.DataFrame,
    checkout: Checkout,
    counterexamples: dict[tuple[str, str], dict] | None = None,
    invalid: dict[str, str] | None = None,
) -> Judgement:
    """Judge every hypothesis on every regime and run.

    `counterexamples`: (search, regime) -> the fields of `SearchResult`, or a `reason` why nothing was searched.
    `invalid`: metric -> why it carries no verdict on regimes of sound.
    Raises UserError when arms that are to be paired do not have the same seeds, or two seeds are the same run.
    """
    verdicts, gates = {hypothesis.id: [] for hypothesis in registry.hypotheses}, {}
    for pattern, plan in registry.regimes.items():
        present = sorted(name for name in table["regime"].unique() if fnmatchcase(name, pattern))
        for regime in present or [pattern]:
            rows = table[table["regime"] == regime]
            for run in plan.runs:
                setting = Setting(pattern, plan, regime, run)
                found, gate = _judge_run(registry, setting, rows[rows["run"] == run], checkout, invalid or {})
                for name, verdict in found.items():
                    verdicts[name].append(verdict)
                if gate is not None:
                    gates.setdefault(regime, {})[run] = gate
        for one in registry.hypotheses:
            if isinstance(one, Universal) and pattern in one.regimes:
                verdicts[one.id].append(_universal(pattern, (counterexamples or {}).get((one.search, pattern))))
    written = {
        one.id: tuple(replace(v, sentence=sentence(one, v, registry)) for v in verdicts[one.id])
        for one in registry.hypotheses
    }
    return Judgement(written, gates)


def _verdict(label: Label, reason: str, **parts: object) -> Verdict:
    """A verdict whose sentence is written at the end, when all of its parts are known."""
    return Verdict(label=label, reason=reason, sentence="", **parts)


def _judge_run(
    registry: Registry, setting: Setting, rows: pd.DataFrame, checkout: Checkout, invalid: dict[str, str]
) -> tuple[dict[str, Verdict], Gate | None]:
    """Verdicts by hypothesis, and the gate, None where the regime has none or there are no rows."""
    plan = setting.plan
    planned = [one for one in registry.hypotheses if _planned(one, setting)]
    if rows.empty:
        reason = f"no table has outcomes of regime '{setting.regime}', run '{setting.run}'"
        return {one.id: setting.verdict(one, NOT_TESTED, reason) for one in planned}, None
    check_seeds(rows)
    rows, status = _seeds_that_count(registry, plan.seeds, rows, checkout)
    setting, table = replace(setting, status=status), pivot(rows, plan.adapter)
    gate = controls.gate(table, plan.gate) if plan.gate else None
    measured = [one for one in planned if isinstance(one, Measured)]
    insensitive = _insensitive(table, measured, setting.pattern)
    done, contrasts = {}, []
    for one in measured:
        base = base_metric(one.metric_on(setting.pattern))
        if plan.sound and base in invalid:
            done[one.id] = setting.verdict(one, NOT_TESTED, f"the metric is invalid: {invalid[base]}", status=None)
            continue
        found = _gathered(one, setting, table, insensitive.get(one.id), gate)
        if isinstance(found, Verdict):
            done[one.id] = found
        else:
            contrasts.append((one, found))
    decisions = families.decide(contrasts)
    for one, found in contrasts:
        decision = decisions[one.id]
        parts = {"estimate": decision.estimate, "test": decision.test, "mechanism": decision.mechanism}
        done[one.id] = setting.of_contrast(one, decision.label, decision.reason, found, **parts)
    for one in planned:
        if isinstance(one, Conjunction):
            done[one.id] = _conjunction(one, setting, [done[part] for part in one.parts])
    return done, gate


def _planned(hypothesis: AnyHypothesis, setting: Setting) -> bool:
    """Whether numbers of this regime and run judge the hypothesis; a universal statement needs none."""
    if isinstance(hypothesis, Universal):
        return False
    here = setting.pattern in hypothesis.regimes and setting.regime not in hypothesis.skip
    return here and setting.run in (hypothesis.runs or setting.plan.runs)


def _gathered(
    hypothesis: Measured, setting: Setting, table: Outcomes, insensitive: str | None, gate: Gate | None
) -> Contrast | Verdict:
    """The evidence, or the verdict where it needs no test: nothing measured, a failed assay, an exact statement."""
    try:
        found = contrast(hypothesis, setting.pattern, table, insensitive)
    except Missing as missing:
        found, reason = None, str(missing)
    if gate is not None and not gate.passed and not hypothesis.ungated:
        if found is None:
            return setting.verdict(hypothesis, ASSAY_FAILED, gate.reason)
        return setting.of_contrast(hypothesis, ASSAY_FAILED, gate.reason, found)
    if found is None:
        return setting.verdict(hypothesis, NOT_TESTED, reason)
    if isinstance(hypothesis, Exact):
        values = np.array(found.sample.values)
        label, reason = words.exact_label(values, hypothesis.bound, hypothesis.margin)
        estimate = Estimate(effect=float(values.mean()))
        return setting.of_contrast(hypothesis, label, reason, found, estimate=estimate)
    return found


def _seeds_that_count(
    registry: Registry, exploratory: int, rows: pd.DataFrame, checkout: Checkout
) -> tuple[pd.DataFrame, Status]:
    """The rows whose seeds are judged, and their status. Confirmatory seeds, if all are there, are judged alone."""
    present, wanted = set(rows["seed"]), registry.confirmatory.seeds
    if lacking := set(wanted) - present:
        reason = f"{len(lacking)} of the {len(wanted)} confirmatory seeds are missing; others were used in development"
        if not present & set(wanted) and present != set(range(exploratory)):
            reason += f"; of the exploratory seeds 0 to {exploratory - 1} there are {len(present)}"
        return rows, Status(label="exploratory", reason=reason)
    rows = rows[rows["seed"].isin(wanted)]
    if not checkout.registry_committed:
        return rows, Status(label="exploratory", reason="the registry differs from the committed one")
    if not checkout.clean:
        return rows, Status(label="exploratory", reason="the working tree has changes that are not committed")
    if not checkout.sealed:
        return rows, Status(label="exploratory", reason="the registry was not sealed before these seeds were run")
    reason = f"registered and sealed before these {len(wanted)} seeds were run"
    return rows, Status(label="confirmatory", reason=reason)


def _insensitive(table: Outcomes, hypotheses: Iterable[Measured], pattern: str) -> dict[str, str | None]:
    """By id, why the absence of an effect says nothing, for the hypotheses that an absence may decide.

    An absence refutes a claimed effect only where the margin is a registered number or the oracle's effect is detected.
    A hypothesis that claims an absence needs the oracle in any case.
    """
    decided = [
        one
        for one in hypotheses
        if isinstance(one, Equivalence | Noninferiority)
        or (isinstance(one, Difference | Interaction | Trend) and one.margin is None)
    ]
    found = {}
    for optimizer in {one.optimizer for one in decided}:
        mine = [one for one in decided if one.optimizer == optimizer]
        reasons = controls.insensitive(table, [one.metric_on(pattern) for one in mine], optimizer)
        found |= {one.id: reasons[one.metric_on(pattern)] for one in mine}
    return found


def _conjunction(whole: Conjunction, setting: Setting, parts: Sequence[Verdict]) -> Verdict:
    label, reason = words.conjunction_label([part.label for part in parts])
    samples = [part.sample for part in parts]
    sample = None
    if None not in samples:
        seeds = sorted(set.intersection(*(set(one.seeds) for one in samples)))
        tables = sorted({path for one in samples for path in one.tables})
        sample = Sample(seeds=tuple(seeds), tables=tuple(tables))
    p = max((part.test.p_holm for part in parts if part.test), default=None)
    reason = f"{reason} ({', '.join(whole.parts)})"
    return setting.verdict(whole, label, reason, sample=sample, joint_p_holm=p)


def _universal(pattern: str, searched: dict | None) -> Verdict:
    if searched is None:
        return _verdict(NOT_TESTED, "no search for a counterexample has run here", regime=pattern)
    if "reason" in searched:
        return _verdict(NOT_TESTED, searched["reason"], regime=pattern)
    result = SearchResult(**searched)
    if result.found:
        label, reason = REFUTED, f"a counterexample: {result.description}"
    else:
        label, reason = INCONCLUSIVE, f"no counterexample among {result.tried} inputs, which proves nothing"
    return _verdict(label, reason, regime=pattern, counterexample=result)
