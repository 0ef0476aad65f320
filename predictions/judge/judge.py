"""The engine: the table of outcomes and the registry in, one verdict per hypothesis, regime and run out.

Order of work for each regime and run: the gate; the evidence of every hypothesis; Holm's correction within each
family; labels; parts that make a whole; mechanisms; sentences. A verdict looks at its own regime and run alone.
"""

import math
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from predictions.judge import controls as assay
from predictions.judge import evidence as judgement
from predictions.judge import sentences, statistics
from predictions.judge.evidence import ASSAY_FAILED, INCONCLUSIVE, NOT_TESTED, REFUTED, SUPPORTED, Evidence
from predictions.judge.outcomes import Missing, check_seeds, known_as, paired, seed_values
from predictions.registry.schema import Arm, Claim, Hypothesis, Registry, arm

LABELLERS = {
    "equivalence": judgement.equivalence_label,
    "noninferiority": judgement.noninferiority_label,
}
NO_MECHANISM = "not claimed"


@dataclass(frozen=True)
class Control:
    """How the arm compares with a control that carries another explanation of its effect."""

    arm: str
    label: str  # of "the arm's effect exceeds this control's"
    reason: str
    share: float | None = None  # of the arm's effect that the control has on its own
    effect: float | None = None  # arm minus control
    interval: tuple[float | None, float | None] | None = None
    p: float | None = None
    p_holm: float | None = None
    p_equivalence_holm: float | None = None
    differences: list[dict] = field(default_factory=list)  # {"seed", "value"}


@dataclass(frozen=True)
class Verdict:
    """One hypothesis on one regime and run. Numbers are in the metric's units; None where there is none to give."""

    claim: str
    hypothesis: str
    kind: str
    statement: str
    regime: str
    run: str  # "short", "converged"; "" where nothing was trained
    effect_label: str
    reason: str
    mechanism_label: str = NO_MECHANISM
    mechanism_reason: str = ""
    sentence: str = ""
    status: str = "exploratory"  # or "confirmatory"
    status_reason: str = ""
    metric: str = ""
    arms: list[str] = field(default_factory=list)
    against: list[str] = field(default_factory=list)
    direction: str = ""
    bound: float | None = None
    n: int = 0
    seeds: list[int] = field(default_factory=list)
    effect: float | None = None
    interval: tuple[float | None, float | None] | None = None  # 95 %, belongs to the test; None: unbounded
    interval_bca: tuple[float | None, float | None] | None = None  # beside it, too narrow for few seeds
    p: float | None = None
    p_holm: float | None = None
    p_against: float | None = None
    p_against_holm: float | None = None
    shape_p: float | None = None
    family: str = ""
    family_size: int = 0
    least_p_holm: float | None = None  # what the smallest possible p becomes at Holm's first step
    margin: float | None = None
    margin_rule: str = ""
    minimum_detectable_effect: float | None = None
    differences: list[dict] = field(default_factory=list)  # {"seed", "value"}: what the effect is the mean of
    controls: list[Control] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    counterexample: dict | None = None
    proof: str = ""
    planned: bool = True  # False: the registry says why it makes no sense here


@dataclass(frozen=True)
class Tree:
    """What the repository says about a run: all committed, the registry too, and this registry sealed beforehand?"""

    clean: bool
    registry_committed: bool
    sealed: bool


@dataclass(frozen=True)
class Draft:
    """A hypothesis with its evidence, before Holm's correction."""

    verdict: Verdict
    evidence: Evidence
    controls: dict[str, Evidence | str]  # evidence, or why there is none


def judge(
    registry: Registry,
    table: pd.DataFrame,
    tree: Tree,
    counterexamples: dict[tuple[str, str], dict] | None = None,
    unfit: dict[str, str] | None = None,
) -> tuple[list[Verdict], dict[str, dict[str, dict]]]:
    """All verdicts in the registry's order, and for each regime and run its gate.

    `counterexamples`: (search, regime) -> what `predictions.counterexamples.searches` found, with `found` and `tried`.
    `unfit`: metric -> why it carries no verdict on regimes of sound.
    Raises UserError when arms that are to be paired do not have the same seeds, or two seeds are copies of one.
    """
    verdicts, gates = [], {}
    for pattern, plan in registry.regimes.items():
        present = sorted(name for name in table["regime"].unique() if fnmatchcase(name, pattern))
        for regime in present or [pattern]:
            rows = table[table["regime"] == regime]
            for run in plan.runs:
                found, gate = _judge_run(registry, pattern, regime, run, rows[rows["run"] == run], tree, unfit or {})
                verdicts += found
                if gate is not None:
                    gates.setdefault(regime, {})[run] = asdict(gate)
        verdicts += [
            _universal(claim, hypothesis, pattern, (counterexamples or {}).get((hypothesis.search, pattern)), registry)
            for claim, hypothesis in registry.hypotheses
            if hypothesis.kind == "universal" and pattern in hypothesis.regimes
        ]
        verdicts += [
            _verdict(claim, hypothesis, skipped, "", NOT_TESTED, reason, planned=False)
            for claim, hypothesis in registry.hypotheses
            for skipped, reason in hypothesis.skip.items()
            if registry.pattern(skipped) == pattern
        ]
    order = {hypothesis.id: place for place, (_, hypothesis) in enumerate(registry.hypotheses)}
    verdicts.sort(key=lambda verdict: order[verdict.hypothesis])
    return [replace(verdict, sentence=sentences.sentence(verdict, registry)) for verdict in verdicts], gates


def _judge_run(
    registry: Registry, pattern: str, regime: str, run: str, rows: pd.DataFrame, tree: Tree, unfit: dict[str, str]
) -> tuple:
    plan = registry.regimes[pattern]
    planned = [
        (claim, hypothesis)
        for claim, hypothesis in registry.hypotheses
        if (pattern in hypothesis.regimes and regime not in hypothesis.skip)
        and (hypothesis.kind != "universal" and run in (hypothesis.runs or plan.runs))
    ]
    if rows.empty:
        reason = f"no table has outcomes of regime '{regime}', run '{run}'"
        return [_verdict(claim, hypothesis, regime, run, NOT_TESTED, reason) for claim, hypothesis in planned], None
    check_seeds(rows)
    rows, status, status_reason = _seeds_that_count(registry, plan.seeds, rows, tree)
    gate = assay.gate(_of(rows, "adamw", plan.adapter), plan.gate) if plan.gate else None
    blind = _blind(rows, [hypothesis for _, hypothesis in planned], plan.adapter)
    done, drafts = [], []
    for claim, hypothesis in planned:
        if hypothesis.kind == "all":
            continue
        if plan.sound and known_as(hypothesis.metric) in unfit:
            reason = f"the metric is unfit: {unfit[known_as(hypothesis.metric)]}"
            done.append(_verdict(claim, hypothesis, regime, run, NOT_TESTED, reason))
            continue
        draft = _draft(claim, hypothesis, regime, run, rows, plan.adapter, blind.get(hypothesis.id, ""))
        draft = replace(draft, verdict=replace(draft.verdict, status=status, status_reason=status_reason))
        if isinstance(gate, assay.Gate) and not gate.passed and not hypothesis.ungated:
            done.append(replace(draft.verdict, effect_label=ASSAY_FAILED, reason=gate.reason))
        elif draft.verdict.effect_label:  # exact, or nothing to test
            done.append(draft.verdict)
        else:
            drafts.append(draft)
    done += _labelled(drafts)
    by_id = {verdict.hypothesis: verdict for verdict in done}
    for claim, hypothesis in planned:
        if hypothesis.kind == "all":
            parts = [by_id[part] for part in hypothesis.parts if part in by_id]
            label, reason = judgement.all_label([part.effect_label for part in parts])
            whole = _verdict(claim, hypothesis, regime, run, label, f"{reason} ({', '.join(hypothesis.parts)})")
            tables = sorted({table for part in parts for table in part.tables})
            p = max((part.p_holm for part in parts if part.p_holm is not None), default=None)
            facts = {"n": min(part.n for part in parts), "seeds": parts[0].seeds, "tables": tables, "p_holm": p}
            done.append(replace(whole, status=status, status_reason=status_reason, **facts))
    return done, gate


def _seeds_that_count(registry: Registry, exploratory: int, rows: pd.DataFrame, tree: Tree) -> tuple:
    """The rows whose seeds are judged, and whether that is a confirmation; confirmatory seeds are judged alone."""
    present, wanted = set(rows["seed"]), registry.confirmatory.seeds
    if not set(wanted) <= present:
        lost = len(set(wanted) - present)
        reason = f"{lost} of the {len(wanted)} confirmatory seeds are missing; others were seen during development"
        if not present & set(wanted) and present != set(range(exploratory)):
            reason += f"; of the exploratory seeds 0 to {exploratory - 1} there are {len(present)}"
        return rows, "exploratory", reason
    rows = rows[rows["seed"].isin(wanted)]
    if not tree.registry_committed:
        return rows, "exploratory", "the registry differs from the committed one"
    if not tree.clean:
        return rows, "exploratory", "the working tree has changes that are not committed"
    if not tree.sealed:
        return rows, "exploratory", "no seal was made before these seeds were run"
    return rows, "confirmatory", f"registered and sealed before these {len(wanted)} seeds were run"


def _of(rows: pd.DataFrame, optimizer: str, adapter: str) -> pd.DataFrame:
    return rows[(rows["optimizer"] == optimizer) & (rows["adapter"] == adapter)]


def _verdict(claim: Claim, hypothesis: Hypothesis, regime: str, run: str, label: str, reason: str, **more) -> Verdict:
    copied = ("kind", "statement", "metric", "arms", "against", "direction", "bound", "family", "proof")
    return Verdict(
        claim=claim.id,
        hypothesis=hypothesis.id,
        regime=regime,
        run=run,
        effect_label=label,
        reason=reason,
        **{name: getattr(hypothesis, name) for name in copied},
        **more,
    )


def _universal(claim: Claim, hypothesis: Hypothesis, regime: str, searched: dict | None, registry: Registry) -> Verdict:
    if searched is None:
        return _verdict(claim, hypothesis, regime, "", NOT_TESTED, "no search for a counterexample has run here")
    if searched.get("reason"):
        return _verdict(claim, hypothesis, regime, "", NOT_TESTED, searched["reason"])
    if searched["found"]:
        label, reason = REFUTED, f"a counterexample: {searched['description']}"
    else:
        label, reason = INCONCLUSIVE, f"no counterexample among {searched['tried']} inputs, which proves nothing"
    return _verdict(claim, hypothesis, regime, "", label, reason, counterexample=searched)


def _draft(
    claim: Claim, hypothesis: Hypothesis, regime: str, run: str, rows: pd.DataFrame, adapter: str, blind: str
) -> Draft:
    """Gather the evidence; a missing arm or metric, or a requirement that is not met, makes it "not tested"."""
    empty = _verdict(claim, hypothesis, regime, run, "", "")
    rows = rows[rows["optimizer"] == hypothesis.optimizer]
    if rows.empty:
        missing = f"the table has no rows of optimizer '{hypothesis.optimizer}'"
        return Draft(replace(empty, effect_label=NOT_TESTED, reason=missing), None, {})
    try:
        wide = _wide(rows, hypothesis, adapter)
        values = _contrast(wide, hypothesis)
        facts = {
            "n": len(wide),
            "seeds": [int(seed) for seed in wide.index],
            "differences": _by_seed(wide.index, values),
            "tables": sorted(rows[rows["metric"] == hypothesis.metric]["table"].unique()),
        }
        if hypothesis.kind == "exact":
            label, reason = judgement.exact_label(values, hypothesis.bound, hypothesis.margin)
            facts |= {"effect": float(values.mean()), "margin": hypothesis.margin, "margin_rule": "rounding"}
            return Draft(replace(empty, effect_label=label, reason=reason, **facts), None, {})
        _check_requirements(rows, hypothesis, adapter)
        margin, rule = _margin(rows, hypothesis, adapter)
    except Missing as missing:
        return Draft(replace(empty, effect_label=NOT_TESTED, reason=str(missing)), None, {})
    evidence = replace(_evidence(hypothesis, wide, values, margin), blind=blind)
    controls = {text: _against_control(rows, hypothesis, text, adapter, margin, blind) for text in hypothesis.controls}
    verdict = replace(empty, margin=margin, margin_rule=rule, **facts)
    return Draft(verdict, evidence, controls)


def _column(text: str, adapter: str) -> Arm:
    """The arm that a registry's text names, with the regime's adapter where it names none."""
    named = arm(text)
    return named if named.adapter else replace(named, adapter=adapter)


def _wide(rows: pd.DataFrame, hypothesis: Hypothesis, adapter: str) -> pd.DataFrame:
    """One column per term of the contrast: `arms`, and `against` with a minus sign before its name."""
    metric, other = hypothesis.metric, hypothesis.against_metric or hypothesis.metric
    of_arms = {text: seed_values(rows, _column(text, adapter), metric) for text in hypothesis.arms}
    against = {f"-{text}": seed_values(rows, _column(text, adapter), other) for text in hypothesis.against}
    wide = paired(of_arms | against)
    if len(wide) < 2 and hypothesis.kind != "exact":
        raise Missing("a single seed has no spread to judge an effect by")
    return wide


def _contrast(wide: pd.DataFrame, hypothesis: Hypothesis) -> np.ndarray:
    """Mean over `arms` minus mean over `against`, `[n]`; twice that is the interaction of a 2x2."""
    values = wide[hypothesis.arms].mean(axis=1)
    if hypothesis.against:
        values = values - wide[[f"-{text}" for text in hypothesis.against]].mean(axis=1)
    return (2 * values if hypothesis.kind == "interaction" else values).to_numpy()


def _margin(rows: pd.DataFrame, hypothesis: Hypothesis, adapter: str) -> tuple[float, str]:
    if hypothesis.kind == "bound":
        return 0.0, "the bound is itself the margin"
    if hypothesis.margin is not None:
        return hypothesis.margin, "registered number"
    rows = rows[rows["adapter"] == adapter]
    rule = "larger of half a baseline-seed standard deviation and a quarter of the oracle's effect"
    return assay.smallest_effect(rows, hypothesis.metric), rule


def _check_requirements(rows: pd.DataFrame, hypothesis: Hypothesis, adapter: str) -> None:
    """Raise Missing unless all that are compared are shown to be what the statement presupposes."""
    for metric, limit in hypothesis.requires.items():
        for text in (*hypothesis.arms, *hypothesis.against):
            values = seed_values(rows, _column(text, adapter), metric).to_numpy()
            p = float(statistics.sign_flip_p(values, limit, "less"))
            if not p < statistics.ALPHA:
                found = f"mean {values.mean():.3g}, p = {p:.3g}"
                raise Missing(f"{metric} of {text} is not shown to lie below {limit:g} ({found})")


def _blind(rows: pd.DataFrame, hypotheses: list[Hypothesis], adapter: str) -> dict[str, str]:
    """By id, why the absence of an effect would say nothing, for the hypotheses that it may decide.

    An effect is refuted by its absence only where a number registered beforehand says what nothing is, or the oracle
    is seen. An absence that is itself claimed needs the oracle in any case.
    """
    decided = [
        one
        for one in hypotheses
        if one.kind in LABELLERS or (one.kind in ("difference", "interaction", "trend") and one.margin is None)
    ]
    found = {}
    for optimizer in {one.optimizer for one in decided}:
        mine = [one for one in decided if one.optimizer == optimizer]
        reasons = assay.blind(_of(rows, optimizer, adapter), [one.metric for one in mine])
        found |= {one.id: reasons[one.metric] for one in mine}
    return found


def _sign(hypothesis: Hypothesis) -> int:
    return -1 if hypothesis.direction == "lower" else 1


def _evidence(hypothesis: Hypothesis, wide: pd.DataFrame, values: np.ndarray, margin: float) -> Evidence:
    if hypothesis.kind == "trend":
        levels = np.array([arm(text).lam for text in hypothesis.arms])
        return judgement.trend(levels, wide[hypothesis.arms].to_numpy(), margin, seed=0)
    if hypothesis.kind == "equivalence":
        return judgement.equivalence(values, margin)
    if hypothesis.kind == "noninferiority":
        return judgement.noninferiority(values, margin, _sign(hypothesis))
    return judgement.effect(values, margin, hypothesis.bound or 0.0)


def _against_control(
    rows: pd.DataFrame, hypothesis: Hypothesis, text: str, adapter: str, margin: float, blind: str
) -> tuple | str:
    """The arm minus the control as (evidence, seeds, the control's share of the effect), or why there is none."""
    try:
        names = (*hypothesis.arms, *hypothesis.against, text)
        wide = paired({name: seed_values(rows, _column(name, adapter), hypothesis.metric) for name in names})
    except Missing as missing:
        return str(missing)
    reference = wide[hypothesis.against].mean(axis=1)
    own, of_control = wide[hypothesis.arms].mean(axis=1) - reference, wide[text] - reference
    share = float(of_control.mean() / own.mean()) if own.mean() else math.nan
    return replace(judgement.effect((own - of_control).to_numpy(), margin), blind=blind), wide.index, share


def _labelled(drafts: list[Draft]) -> list[Verdict]:
    """Correct the p values within each family and decide."""
    families = defaultdict(list)
    for draft in drafts:
        families[draft.verdict.family].append(draft)
    verdicts = []
    for members in families.values():
        p, against = _corrected([draft.evidence for draft in members])
        tests = [control for draft in members for control in draft.controls.values() if not isinstance(control, str)]
        corrected = iter(zip(*_corrected([evidence for evidence, *_ in tests]), strict=True))
        for draft, own_p, own_against in zip(members, p, against, strict=True):
            controls = [
                Control(text, NOT_TESTED, control)
                if isinstance(control, str)
                else _control(text, control, draft, *next(corrected))
                for text, control in draft.controls.items()
            ]
            verdicts.append(_decided(draft, float(own_p), float(own_against), len(members), controls))
    return verdicts


def _corrected(evidence: list[Evidence]) -> tuple[np.ndarray, np.ndarray]:
    return statistics.holm(*np.array([one.counted for one in evidence], dtype=float).reshape(-1, 2).T)


def _control(text: str, control: tuple, draft: Draft, p: float, p_against: float) -> Control:
    evidence, seeds, share = control
    label, reason = judgement.effect_label(evidence, -1 if draft.verdict.direction == "lower" else 1, p, p_against)
    numbers = {"p": evidence.p, "p_holm": float(p), "p_equivalence_holm": float(p_against)}
    values = {"effect": evidence.effect, "interval": evidence.interval, "differences": _by_seed(seeds, evidence.values)}
    return Control(text, label, reason, share, **numbers, **values)


def _decided(draft: Draft, p: float, p_against: float, family_size: int, controls: list[Control]) -> Verdict:
    verdict, evidence = draft.verdict, draft.evidence
    sign = -1 if verdict.direction == "lower" else 1
    label, reason = LABELLERS.get(verdict.kind, judgement.effect_label)(evidence, sign, p, p_against)
    least = min(1.0, statistics.least_p(verdict.n) * family_size)
    if label == INCONCLUSIVE and statistics.least_p(verdict.n) < statistics.ALPHA <= least:
        reason += f"; {verdict.n} seeds can give no p below {least:.2g} after Holm's correction for {family_size} tests"
    mechanism, why = NO_MECHANISM, ""
    if controls and label == SUPPORTED:
        mechanism, why = judgement.mechanism_label({control.arm: control.label for control in controls})
    elif controls:
        mechanism, why = NOT_TESTED, "no effect was established that a mechanism could explain"
    spread = float(evidence.values.std(ddof=1)) if verdict.n > 1 else math.nan
    claimed = verdict.kind not in LABELLERS
    detectable = statistics.detectable_effect(verdict.n, spread, evidence.margin, family_size) if claimed else math.nan
    bca = statistics.bca_interval(evidence.values, seed=0) if verdict.n > 2 else (math.nan, math.nan)
    return replace(
        verdict,
        effect_label=label,
        reason=reason,
        mechanism_label=mechanism,
        mechanism_reason=why,
        effect=evidence.effect,
        interval=evidence.interval,
        interval_bca=(float(bca[0]), float(bca[1])),
        p=evidence.p,
        p_holm=p,
        p_against=evidence.p_against,
        p_against_holm=p_against,
        shape_p=evidence.shape_p,
        family_size=family_size,
        least_p_holm=least,
        minimum_detectable_effect=float(detectable),
        controls=controls,
    )


def _by_seed(seeds, values: np.ndarray) -> list[dict]:
    return [{"seed": int(seed), "value": float(value)} for seed, value in zip(seeds, values, strict=True)]
