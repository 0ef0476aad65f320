"""The derivations of `predictions.proofs` as MathML, which browsers draw without a script."""

from dataclasses import dataclass
from functools import cache

from sympy.printing.mathml import mathml

from predictions.proofs import PROOFS


@dataclass(frozen=True)
class Derivation:
    """A proof for the page: `equations` are MathML made by sympy, the other fields are plain text."""

    name: str
    statement: str
    conditions: str
    equations: tuple[str, ...]


@cache
def derivations() -> dict[str, Derivation]:
    """Every proof by name, derived once per process. Raises ProofError when one cannot be derived."""
    proofs = [derive() for derive in PROOFS]
    return {
        proof.name: Derivation(
            proof.name, proof.statement, proof.conditions, tuple(map(_displayed, filter(_informative, proof.equations)))
        )
        for proof in proofs
    }


def _informative(equation) -> bool:
    """False for an evaluated identity such as 1 = 1, which is what a limit becomes; the statement covers those."""
    return bool(equation.free_symbols) or equation.lhs != equation.rhs


def _displayed(equation) -> str:
    return f'<math display="block">{mathml(equation, printer="presentation")}</math>'
