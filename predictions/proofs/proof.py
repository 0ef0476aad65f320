"""A proof as data, and the two functions that check its equations and inequalities."""

from dataclasses import dataclass

import sympy as sp


class ProofError(Exception):
    """A relation cannot be derived: it is false, or sympy cannot decide it."""


@dataclass(frozen=True)
class Proof:
    """One statement, the relations derived for it, and the conditions under which they imply the statement.

    `name` is the name of the function that derives it. `statement` is a sentence; `conditions` may be empty.
    """

    name: str
    statement: str
    equations: tuple[sp.Basic, ...]
    conditions: str = ""

    @property
    def latex(self) -> list[str]:
        """The relations in LaTeX, in order."""
        return [sp.latex(equation) for equation in self.equations]


def equal(left: sp.Expr, right: sp.Expr) -> sp.Eq:
    """The unevaluated equation left = right. Raises ProofError when their difference does not simplify to 0."""
    difference = sp.expand(sp.sympify(left - right).doit())
    if difference != 0 and sp.simplify(sp.expand_log(difference, force=True)) != 0:
        raise ProofError(f"{left} = {right} does not follow: the difference is {difference}")
    return sp.Eq(left, right, evaluate=False)


def holds(relation: sp.Basic) -> sp.Basic:
    """The strict inequality `relation` itself. Raises ProofError when it is false or sympy cannot decide it.

    For exact numbers, sympy decides the sign of the difference by interval arithmetic.
    """
    difference = relation.lhs - relation.rhs
    known = {sp.StrictLessThan: difference.is_negative, sp.StrictGreaterThan: difference.is_positive}
    if not known[type(relation)]:
        raise ProofError(f"{relation} does not follow")
    return relation
