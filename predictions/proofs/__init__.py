"""Statements about the barrier that need no data, each derived by sympy from Eqs. 1 to 5.

`PROOFS` lists the functions in the order in which the report shows them. Each takes no argument, derives one statement
and returns it as a `Proof`; it raises `ProofError` when a step cannot be derived. T, the number of positions, is a
symbol throughout. Only a counterexample uses numbers, where one exact case is the proof.

Symbols: e energy, p belief, H entropy, B = H / log T (Eq. 3), K = log T - H, D = 1 - B = K / log T, w weight (Eq. 4),
m factor (Eq. 5).
"""

from predictions.proofs.entropy import (
    cumulant_expansion,
    entropy_falls_with_scale,
    entropy_gradient,
    entropy_is_not_schur_concave_in_the_energies,
    entropy_is_schur_concave_in_the_belief,
    not_scale_free,
    stable_formula,
)
from predictions.proofs.gradients import (
    adamw_ignores_a_constant_factor,
    attached_gradient,
    detached_direction,
    fixed_point,
)
from predictions.proofs.proof import Proof, ProofError
from predictions.proofs.weight import elasticities, weight_falls_with_entropy
from predictions.proofs.weight_map import (
    divergence_bounds,
    ideal_output_at_both_ends,
    linear_response,
    posterior_energy,
    ratio_bound,
    second_order_gap,
)

PROOFS = (
    weight_falls_with_entropy,
    elasticities,
    entropy_gradient,
    entropy_falls_with_scale,
    entropy_is_schur_concave_in_the_belief,
    entropy_is_not_schur_concave_in_the_energies,
    cumulant_expansion,
    stable_formula,
    not_scale_free,
    attached_gradient,
    detached_direction,
    fixed_point,
    adamw_ignores_a_constant_factor,
    second_order_gap,
    divergence_bounds,
    ideal_output_at_both_ends,
    posterior_energy,
    ratio_bound,
    linear_response,
)

__all__ = ["PROOFS", "Proof", "ProofError", *(derive.__name__ for derive in PROOFS)]
