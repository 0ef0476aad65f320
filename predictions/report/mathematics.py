"""The derivations of `predictions.proofs` as MathML, which browsers draw without a script."""

from dataclasses import dataclass
from functools import cache

from sympy.printing.mathml import mathml

from predictions.proofs.derivations import PROOFS


@dataclass(frozen=True)
class Derivation:
    """A proof for the page: `equations` are MathML made by sympy, the rest is plain text."""

    name: str
    statement: str
    conditions: str
    equations: tuple[str, ...]


@cache
def derivations() -> dict[str, Derivation]:
    """Every proof by name, derived once a process. Raises ProofError when one no longer closes: no report then."""
    proofs = [derive() for derive in PROOFS]
    return {
        proof.name: Derivation(
            proof.name, proof.statement, proof.conditions, tuple(map(_displayed, filter(_says, proof.equations)))
        )
        for proof in proofs
    }


def _says(equation) -> bool:
    """False for what evaluation left as 1 = 1 or 0 = 0, e.g. of a limit; the statement says those in words."""
    return bool(equation.free_symbols) or equation.lhs != equation.rhs


def _displayed(equation) -> str:
    return f'<math display="block">{mathml(equation, printer="presentation")}</math>'
