"""The weight of Eq. 4 and the factor of Eq. 5 as functions of the normalised entropy B and of the gap D = 1 - B."""

import sympy as sp

from predictions.proofs.proof import Proof, equal
from predictions.proofs.symbols import entropy, gap, lam


def weight_falls_with_entropy() -> Proof:
    """w(B) = 1 / (1 - log(1 - B)): its slope, its limits, and its only inflection."""
    weight = 1 / (1 - sp.log(1 - entropy))
    slope, curvature = sp.diff(weight, entropy), sp.diff(weight, entropy, 2)
    inflection = 1 - sp.exp(-1)
    # For 0 < B < 1 the curvature is (1 + log(1 - B)) times a positive factor, so it changes sign exactly once.
    signed = (1 + sp.log(1 - entropy)) * weight**3 / (1 - entropy) ** 2
    return Proof(
        "weight_falls_with_entropy",
        "The weight falls strictly from 1 at entropy 0 to 0 at entropy 1, with one inflection at B = 1 - 1/e.",
        (
            equal(slope, -(weight**2) / (1 - entropy)),
            equal(sp.limit(weight, entropy, 0), sp.Integer(1)),
            equal(sp.limit(weight, entropy, 1, "-"), sp.Integer(0)),
            equal(curvature, signed),
            equal(signed.subs(entropy, inflection), sp.Integer(0)),
        ),
        "0 < B < 1, where w > 0 and 1 + log(1 - B) has the single root 1 - 1/e",
    )


def elasticities() -> Proof:
    """The relative changes of w and of m = (1 - lambda) + lambda w per relative change of D."""
    weight = 1 / (1 - sp.log(gap))
    factor = (1 - lam) + lam * weight
    return Proof(
        "elasticities",
        "A gap D that is 1 % larger makes the weight w % larger and the factor lambda w^2 / m % larger.",
        (
            equal(gap * sp.diff(sp.log(weight), gap), weight),
            equal(gap * sp.diff(sp.log(factor), gap), lam * weight**2 / factor),
        ),
        "0 < D < 1, 0 < lambda <= 1",
    )
