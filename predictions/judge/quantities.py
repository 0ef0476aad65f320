"""From the table of outcomes to x: one number per seed and system, positive in the claim's direction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from eisbach.arms import Arm
from eisbach.errors import UserError
from predictions.judge.outcomes import Missing, Outcomes, pivot
from predictions.registry.schema import Atom, Bound, Compared, Control, Intersection, On, System, matches


@dataclass(frozen=True)
class Quantity:
    """x of every seed: the mean over a system's members, and each member's own numbers."""

    values: pd.Series  # index seed
    members: dict[str, pd.Series]  # by regime, where the system has more than one
    tables: tuple[str, ...]

    def scaled(self, factor: float) -> "Quantity":
        """factor * x, everywhere."""
        members = {name: factor * one for name, one in self.members.items()}
        return replace(self, values=factor * self.values, members=members)


Tables = dict[str, Outcomes]  # a system's members: regime -> its outcomes


def rows_of(system: System, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of outcomes that are of the system's members and of the run that decides."""
    own = [regime for regime in table["regime"].unique() if matches(system.members, regime)]
    return table[table["regime"].isin(own) & (table["run"] == system.run)]


def tables_of(system: System, rows: pd.DataFrame) -> Tables:
    """The outcomes of every member in `rows`. Raises UserError as `pivot` does."""
    return {regime: pivot(part, system.adapter) for regime, part in rows.groupby("regime")}


def of_atom(atom: Atom, on: On, tables: Tables) -> Quantity:
    """x of an atom. Raises Missing as `contrast` does, and for an intersection, whose x is `parts`."""
    if isinstance(atom, Compared):
        return contrast(tables, on, atom.plus, atom.minus).scaled(atom.sign)
    if isinstance(atom, Bound):
        return value(tables, on, on.metric, atom.arms, atom.bound).scaled(atom.sign)
    raise Missing(f"kind {atom.kind} has several numbers")


def parts(atom: Intersection, on: On, tables: Tables) -> dict[str, Quantity]:
    """x of every part of an intersection."""
    return {
        part: value(tables, on, f"{on.metric}/{part}", atom.arms, atom.bound).scaled(atom.sign) for part in atom.parts
    }


def of_control(control: Control, atom: Atom, on: On, tables: Tables) -> Quantity:
    """The effect of a positive control in x's unit and direction."""
    found = contrast(tables, replace(on, minus_metric=None), control.plus, control.minus)
    return found.scaled(atom.sign * (0.5 if control.half else 1.0))


def value(tables: Tables, on: On, metric: str, arms: Sequence[Arm], bound: float) -> Quantity:
    """The mean over `arms` minus the bound, or the log ratio of the two."""
    centre = np.log(bound) if on.scale == "log" else bound
    return _over_members(tables, on, metric, lambda of: _mean(of, arms, metric, on) - centre)


def contrast(tables: Tables, on: On, plus: Sequence[Arm], minus: Sequence[Arm], *, partial: bool = False) -> Quantity:
    """The mean over `plus` minus the mean over `minus`, of the metric or its logarithm.

    Raises Missing where a member, or with `partial` every member, lacks the metric or an arm, and UserError where an
    arm lacks a seed of another.
    """
    other = on.minus_metric or on.metric

    def difference(of: Outcomes) -> pd.Series:
        first, second = _mean(of, plus, on.metric, on), _mean(of, minus, other, on)
        if not first.index.equals(second.index):
            seed = first.index.symmetric_difference(second.index)[0]
            raise UserError(f"seed {seed} has not both {plus[0]} and {minus[0]}; run it, or remove the seed from all")
        return first - second

    return _over_members(tables, on, on.metric, difference, partial=partial)


def _over_members(
    tables: Tables, on: On, metric: str, measure: Callable[[Outcomes], pd.Series], *, partial: bool = False
) -> Quantity:
    wanted = {name: of for name, of in tables.items() if not on.members or matches(on.members, name)}
    if not wanted:
        raise Missing("no table has outcomes of this system")
    found, reasons = {}, []
    for name, of in sorted(wanted.items()):
        try:
            found[name] = measure(of)
        except Missing as missing:
            reasons.append(str(missing))
    if reasons and not (partial and found):
        raise Missing(reasons[0])
    together = pd.concat(found, axis=1, join="inner").sort_index()  # a seed lost by one member is lost
    paths = sorted({path for of in wanted.values() for path in of.tables.get(("adamw", metric), ())})
    members = {name: together[name] for name in found} if len(found) > 1 else {}
    return Quantity(together.mean(axis=1), members, tuple(paths))


def _mean(of: Outcomes, arms: Sequence[Arm], metric: str, on: On) -> pd.Series:
    """The mean over arms of the metric or its logarithm, by seed."""
    columns = [of.values(arm, metric) for arm in arms]
    table = pd.concat(columns, axis=1)
    if table.isna().any(axis=None):
        seed = table.index[table.isna().any(axis=1)][0]
        raise UserError(f"seed {seed} lacks one of the arms {', '.join(map(str, arms))}; run it, or remove the seed")
    if on.scale == "log":
        if not (table > 0).all(axis=None):
            raise Missing(f"'{metric}' is not positive for every seed, so it has no logarithm")
        table = np.log(table)
    return table.mean(axis=1)
