"""The judge: tables of outcomes and the registry in, one word per atom and system out.

Order of work for each system: its gate; x of every atom; the interval at the level of the family, whose size is
registered; the word; the gate's say; the mechanism. No word depends on what else was measured or lost.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd

from predictions.judge import effects, mechanism, pieces, quantities, statistics, words
from predictions.judge import gate as gates
from predictions.judge.effects import effect_of, ends, reason_of, unbounded
from predictions.judge.outcomes import Missing, base_metric, check_seeds
from predictions.judge.quantities import Tables
from predictions.judge.verdict import Effect, Gate, Interval, JudgedSystem, Sample, Status, Verdict
from predictions.registry.schema import Atom, Difference, Intersection, Registry, System


@dataclass(frozen=True)
class Seal:
    """Whether a run can be confirmatory: why not, or None where everything is as it was sealed."""

    broken: str | None = "nothing was sealed before the run"


@dataclass(frozen=True)
class Judgement:
    """Every system as it was run, and the verdicts of every atom, in the registry's order of systems."""

    systems: dict[str, JudgedSystem]
    verdicts: dict[str, tuple[Verdict, ...]]


@dataclass(frozen=True)
class Run:
    """One system's outcomes and what its verdicts need."""

    registry: Registry
    name: str
    plan: System
    tables: Tables
    judged: JudgedSystem
    grid: pieces.Grid | None
    invalid: Mapping[str, str] = field(default_factory=dict)

    @property
    def level(self) -> float:
        """The level of an interval that decides a word."""
        return self.registry.rules.level / max(1, self.judged.family)


def judge(
    registry: Registry,
    table: pd.DataFrame,
    *,
    grids: Mapping[str, pieces.Grid] | None = None,
    invalid: Mapping[str, str] | None = None,
    seal: Seal | None = None,
) -> Judgement:
    """Judge every atom on every system.

    `grids`: the weights of a given model by system. `invalid`: metric -> why it says nothing on systems of sound.
    Raises UserError when arms that are to be paired do not have the same seeds, or two seeds are the same run.
    """
    systems, verdicts = {}, {atom.id: [] for atom in registry.atoms}
    for name, plan in registry.systems.items():
        run = _run(registry, name, plan, table, seal or Seal(), (grids or {}).get(name), invalid or {})
        systems[name] = run.judged
        for atom in registry.atoms:
            if name in atom.on:
                verdicts[atom.id].append(verdict(run, atom))
    return Judgement(systems, {name: tuple(found) for name, found in verdicts.items()})


def _run(registry, name, plan, table, seal, grid, invalid) -> Run:
    rows = quantities.rows_of(plan, table)
    for _, of_regime in rows.groupby("regime"):
        check_seeds(of_regime)
    rows, status = _seeds_that_count(registry, plan, rows, seal)
    rows, lost = _without_lost(rows)
    tables = quantities.tables_of(plan, rows)
    judged = JudgedSystem(
        registered=plan,
        family=len(registry.deciding(name)),
        seeds=tuple(map(int, sorted(set(rows["seed"]) - set(lost)))),
        lost=tuple(map(int, lost)),
        gate=gates.gate(plan, tables) if tables else Gate(trained=None, constant=None),
        status=status if tables else None,
    )
    return Run(registry, name, plan, tables, judged, grid, invalid if plan.sound else {})


def _without_lost(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """The rows without those of seeds of which any arm diverged in their regime, and these seeds."""
    flag = rows["metric"] == "diverged"
    lost = rows[flag & (rows["value"] > 0) & (rows["optimizer"] == "adamw")]
    of = [pd.MultiIndex.from_frame(part[["regime", "seed"]]) for part in (rows, lost)]
    return rows[flag | ~of[0].isin(of[1])], sorted(lost["seed"].unique())


def _seeds_that_count(registry: Registry, plan: System, rows: pd.DataFrame, seal: Seal) -> tuple[pd.DataFrame, Status]:
    """The rows whose seeds are judged, and their status. Confirmatory seeds, if all are there, are judged alone."""
    of_regimes = [set(part) for _, part in rows.groupby("regime")["seed"]]
    present = set.intersection(*of_regimes) if of_regimes else set()  # a seed of one member alone is not there
    wanted = registry.confirmatory.seeds
    if lacking := set(wanted) - present:
        reason = f"{len(lacking)} of the {len(wanted)} confirmatory seeds are missing; others were used in development"
        if not present & set(wanted) and present != set(range(plan.seeds)):
            reason += (
                f"; of the exploratory seeds 0 to {plan.seeds - 1} there are {len(present & set(range(plan.seeds)))}"
            )
        if others := present - {*range(plan.seeds), *wanted}:
            frozen = (
                " (some of them froze the margins)" if registry.freezing and others & {*registry.freezing.seeds} else ""
            )
            reason += f"; {len(others)} that are neither exploratory nor confirmatory{frozen} are judged too"
        return rows, Status(label="exploratory", reason=reason)
    rows = rows[rows["seed"].isin(wanted)]
    if seal.broken:
        return rows, Status(label="exploratory", reason=seal.broken)
    return rows, Status(label="confirmatory", reason=f"sealed before these {len(wanted)} seeds were run")


def verdict(run: Run, atom: Atom) -> Verdict:
    """The verdict of one atom on one system."""
    on = atom.on[run.name]
    margin, because = run.registry.margin(atom, run.name)
    frozen = run.registry.frozen(atom, run.name)
    plain = Verdict(
        system=run.name,
        word="not tested",
        below=False,
        reason="",
        decides=atom.decides_on(run.name),
        margin=margin,
        margin_because=because,
        sample=None,
        effect=None,
        control=None,
        mechanism=None,
        reach=frozen.reach if frozen else None,
    )
    try:
        _refuse(run, atom)
        if on.over == "pieces":
            return _of_pieces(run, atom, plain)
        if isinstance(atom, Intersection):
            return _of_parts(run, atom, plain)
        return _of_seeds(run, atom, plain)
    except Missing as missing:
        return replace(plain, reason=str(missing))


def _refuse(run: Run, atom: Atom) -> None:
    """Raises Missing where the system or the metric cannot judge the atom."""
    on = atom.on[run.name]
    for base in map(base_metric, filter(None, (on.metric, on.minus_metric))):
        if base in run.invalid:
            raise Missing(f"the metric {base} is invalid: {run.invalid[base]}")
    if on.over == "pieces":
        return
    if not run.tables:
        raise Missing("nothing was run on this system")
    constant = run.judged.gate.constant
    if on.control is not None and constant is not None and not constant.passed:
        raise Missing(f"the assay fails: {constant.reason}")


def _of_seeds(run: Run, atom: Atom, plain: Verdict) -> Verdict:
    on = atom.on[run.name]
    own = quantities.of_atom(atom, on, run.tables)
    effect = effect_of(own, run.level, run.registry.rules.fewest_seeds)
    low, high = unbounded(effect)
    read = words.READ[atom.kind](low, high, plain.margin)
    judged = replace(plain, sample=effects.sample(own), effect=effect)
    control, why = None, ""
    if on.control is not None:
        control = gates.control(run.registry, atom, run.name, run.tables, own)
        trained = run.judged.gate.trained
        if trained is not None and not trained.passed:
            why = f"training is not shown to lower the loss: {trained.reason}"
        elif not control.passed:
            why = f"the positive control is not detected: {_control_text(run.registry, control)}"
        read = words.gated(read, sensitive=not why)
    found = None
    if isinstance(atom, Difference) and read.word in ("holds", "present") and (atom.mechanism or atom.pair):
        found = mechanism.mechanism(run, atom, plain.margin)
    reason = why if read.word == "insensitive" else reason_of(read, effect, plain.margin)
    return replace(judged, word=read.word, below=read.below, reason=reason, control=control, mechanism=found)


def _of_parts(run: Run, atom: Intersection, plain: Verdict) -> Verdict:
    """x is the worst part; its interval holds the smallest of the parts' true values."""
    found = quantities.parts(atom, atom.on[run.name], run.tables)
    worst = found[min(found, key=lambda part: found[part].values.mean())]
    own = effect_of(worst, run.level, run.registry.rules.fewest_seeds)
    interval = _of_the_worst(
        run, [partial(statistics.sign_flip_interval, one.values.to_numpy()) for one in found.values()]
    )
    effect = effects.effect(own.mean, interval, own.interval_95)
    return _bounded(atom, replace(plain, sample=effects.sample(worst)), effect)


def _of_the_worst(run: Run, intervals: Sequence[Callable[[float], tuple[float, float]]]) -> Interval:
    """The interval of the smallest of several true values, from the interval of each at a given level.

    The smallest lower end holds at the uncorrected level. Any of the upper ends may be the smallest value's, so they
    are taken at the level divided by their number.
    """
    low = min(interval(run.level)[0] for interval in intervals)
    return ends(low, min(interval(run.level / len(intervals))[1] for interval in intervals))


def _of_pieces(run: Run, atom: Atom, plain: Verdict) -> Verdict:
    """A statistic of a given model's weights, with its interval by bootstrap over pieces."""
    if run.grid is None:
        raise Missing("the weights of this model were not measured; run `dvc repro census`")
    on = atom.on[run.name]
    metrics = [f"{on.metric}/{part}" for part in atom.parts] if isinstance(atom, Intersection) else [on.metric]
    found = {name: _bootstrapped(run, atom, name) for name in metrics}
    worst = min(found, key=lambda name: found[name][0])
    value, draws = found[worst]
    interval = _of_the_worst(run, [partial(pieces.interval, one) for _, one in found.values()])
    effect = effects.effect(value, interval, ends(*pieces.interval(draws, statistics.ALPHA)))
    number = len(np.unique(run.grid.pieces))
    drawn = Sample(blocks="pieces", n=number, seeds=(), values=(), members={}, agreeing=0, tables=("census",))
    return _bounded(atom, replace(plain, sample=drawn), effect)


def _bootstrapped(run: Run, atom: Atom, metric: str) -> tuple[float, np.ndarray]:
    """x and its bootstrap draws."""
    on, count = atom.on[run.name], run.registry.rules.resamples
    value, draws = pieces.estimates(run.grid, metric, count)
    if on.minus_metric:
        other, others = pieces.estimates(run.grid, on.minus_metric, count)
    else:
        other = others = getattr(atom, "bound", 0.0)
    if on.scale == "log":
        with np.errstate(invalid="ignore", divide="ignore"):
            value, draws, other, others = map(np.log, (value, draws, other, others))
    value, draws = value - other, draws - others
    if not np.isfinite(value):
        raise Missing(f"'{metric}' is undefined on these clips")
    return atom.sign * float(value), atom.sign * draws


def _bounded(atom: Atom, plain: Verdict, effect: Effect) -> Verdict:
    read = words.READ[atom.kind](*unbounded(effect), plain.margin)
    return replace(plain, word=read.word, below=read.below, effect=effect, reason=reason_of(read, effect, plain.margin))


def _control_text(registry: Registry, control) -> str:
    title = registry.controls[control.name].title
    return f"{title} should act {control.acts} the claim; its effect is {control.effect:.2g}, p = {control.p:.2g}"
