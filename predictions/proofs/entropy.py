"""How the entropy of the belief, and K = log T - H, depend on the energies, their scale, T and C."""

import sympy as sp

from predictions.proofs.proof import Proof, ProofError, equal, holds
from predictions.proofs.symbols import (
    ENTROPY_AT_BETA,
    VARIANCE_AT_BETA,
    belief_and_entropy,
    beta,
    count,
    divergence,
    length,
    moment,
)


def entropy_gradient() -> Proof:
    """The derivative of the entropy with respect to one energy."""
    one_energy = sp.Symbol("e_s", real=True)
    belief, entropy = belief_and_entropy(one_energy)
    return Proof(
        "entropy_gradient",
        "The derivative of the entropy with respect to the energy e_s is -p_s (log p_s + H): raising an energy raises "
        "the entropy where log p_s < -H and lowers it where log p_s > -H.",
        (equal(sp.diff(entropy, one_energy), -belief * (sp.log(belief) + entropy)),),
    )


def entropy_falls_with_scale() -> Proof:
    """The derivative of the entropy with respect to a factor beta on all energies."""
    return Proof(
        "entropy_falls_with_scale",
        "Multiplying all energies by a larger beta never raises the entropy: its derivative with respect to beta is "
        "-beta times the variance of the energies under the belief.",
        (equal(sp.diff(ENTROPY_AT_BETA, beta), -beta * VARIANCE_AT_BETA),),
        "any energies, beta > 0",
    )


def entropy_is_schur_concave_in_the_belief() -> Proof:
    """The Schur-Ostrowski criterion for two of the belief's entries."""
    first, second, rest = sp.symbols("p_i p_j h", positive=True)
    entropy = -first * sp.log(first) - second * sp.log(second) + rest
    ostrowski = (first - second) * (sp.diff(entropy, first) - sp.diff(entropy, second))
    return Proof(
        "entropy_is_schur_concave_in_the_belief",
        "Entropy is Schur-concave in the belief: the Schur-Ostrowski product is never positive, because log increases.",
        (equal(ostrowski, -(first - second) * (sp.log(first) - sp.log(second))),),
        "p_i, p_j > 0; entropy is symmetric in the entries",
    )


def entropy_is_not_schur_concave_in_the_energies() -> Proof:
    """One exact counterexample: levelling the energies of three positions lowers the entropy."""

    def exact_divergence(*energies: int) -> sp.Expr:
        partition = sum(sp.exp(one) for one in energies)
        mean = sum(one * sp.exp(one) for one in energies) / partition
        return sp.log(len(energies)) + mean - sp.log(partition)

    level, steep = (4, 1, 1), (4, 2, 0)
    if sum(level) != sum(steep) or any(sum(level[:n]) > sum(steep[:n]) for n in (1, 2)):
        raise ProofError(f"{level} is not majorised by {steep}")
    return Proof(
        "entropy_is_not_schur_concave_in_the_energies",
        "The energies (4, 1, 1) are majorised by (4, 2, 0) and still have the larger K: levelling energies can "
        "concentrate the belief.",
        (holds(sp.StrictGreaterThan(exact_divergence(*level), exact_divergence(*steep), evaluate=False)),),
    )


def cumulant_expansion() -> Proof:
    """K as a series in the cumulants of the energies, from their cumulant generating function."""
    order, kappa = sp.Symbol("n", integer=True, positive=True), sp.IndexedBase("kappa")
    generating = sp.log(moment(0) / count)  # generates the cumulants under the uniform distribution, by definition
    expanded = sp.log(count) - ENTROPY_AT_BETA
    term = kappa[order] * beta**order / sp.factorial(order)
    transformed = beta * sp.diff(term, beta) - term
    coefficient = (order - 1) / sp.factorial(order)
    return Proof(
        "cumulant_expansion",
        "K = kappa_2 / 2 + kappa_3 / 3 + kappa_4 / 8 + ..., in the cumulants of the energies under the uniform "
        "distribution over positions.",
        (
            equal(expanded, beta * sp.diff(generating, beta) - generating),
            equal(transformed, (order - 1) * term),
            *(
                equal(coefficient.subs(order, number), sp.Rational(1, inverse))
                for number, inverse in ((2, 2), (3, 3), (4, 8))
            ),
        ),
        "term by term; the first cumulant drops out because a constant added to all energies changes nothing",
    )


def stable_formula() -> Proof:
    """K without cancellation: the mean of phi(l) over l = log(T p), as `eisbach.barrier` computes it."""
    ell, order = sp.Symbol("l", real=True), sp.Symbol("n", integer=True, positive=True)
    phi = ell * sp.exp(ell) - sp.exp(ell) + 1
    shift = sp.Symbol("delta", real=True)
    # K = mean(l e^l) and mean(e^l) = 1, so mean(phi) = K. An error delta common to all l turns K into `shifted`:
    shifted = sp.exp(shift) * (divergence + shift) - sp.exp(shift) + 1
    return Proof(
        "stable_formula",
        "K is the mean of phi(l) = l e^l - e^l + 1 over l = log(T p). phi has its minimum 0 at l = 0 and the series "
        "sum (n - 1) l^n / n!; an error delta common to all l moves the mean by delta K + "
        "delta^2 (1 + K) / 2 and higher terms.",
        (
            equal(sp.diff(phi, ell), ell * sp.exp(ell)),
            equal(phi.subs(ell, 0), sp.Integer(0)),
            equal(
                ell * order * ell ** (order - 1) / sp.factorial(order) - ell**order / sp.factorial(order),
                (order - 1) * ell**order / sp.factorial(order),
            ),
            equal(
                shifted.series(shift, 0, 3).removeO(), divergence + shift * divergence + shift**2 * (1 + divergence) / 2
            ),
        ),
        "the mean of e^l is 1, because T p has mean 1",
    )


def not_scale_free() -> Proof:
    """How scale, repetition and the number of channels change K and the gap."""
    sigma, y, channels = sp.Symbol("sigma", positive=True), sp.Symbol("y", real=True), sp.Symbol("C", positive=True)
    density = sp.exp(-(y**2) / (2 * sigma**2)) / (sigma * sp.sqrt(2 * sp.pi))

    def expected(power: int) -> sp.Expr:
        return sp.integrate(y**power * density, (y, -sp.oo, sp.oo))

    variance = (expected(4) - expected(2) ** 2) / channels
    doubled = divergence / sp.log(2 * length)
    return Proof(
        "not_scale_free",
        "The weight depends on the output's scale, length and number of channels. Scaling the energies changes K. "
        "Playing the same piece twice keeps K and divides it by log 2T instead of log T. White noise of variance "
        "sigma^2 in C channels has energies of variance 2 sigma^4 / C, so its K is about sigma^4 / C.",
        (
            equal(sp.diff(sp.log(count) - ENTROPY_AT_BETA, beta), beta * VARIANCE_AT_BETA),
            equal(doubled / (divergence / sp.log(length)), sp.log(length) / (sp.log(2) + sp.log(length))),
            equal(variance, 2 * sigma**4 / channels),
            equal(variance / 2, sigma**4 / channels),
        ),
        "K is the mean over positions of T p log(T p), which a repetition does not change; the last equation uses "
        "K = kappa_2 / 2 to lowest order",
    )
