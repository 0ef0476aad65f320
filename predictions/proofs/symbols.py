"""The symbols that the proofs share, and the belief and its entropy written in them."""

import sympy as sp

# The paper calls the normalised entropy of Eq. 3 B.
entropy, gap, divergence, length = sp.symbols("B D K T", positive=True)
lam, beta, scale = sp.symbols("lambda beta c", positive=True)
energy = sp.IndexedBase("e", real=True)
position = sp.Symbol("i", integer=True)
count = sp.Symbol("T", integer=True, positive=True)  # T as the upper limit of a sum


def moment(order: int) -> sp.Expr:
    """The sum over positions of e^order exp(beta e).

    The belief at energies beta e has the mean energy moment(1) / moment(0).
    """
    return sp.Sum(energy[position] ** order * sp.exp(beta * energy[position]), (position, 1, count))


# -sum p log p, with log p = beta e - log sum exp(beta e)
ENTROPY_AT_BETA = sp.log(moment(0)) - beta * moment(1) / moment(0)
VARIANCE_AT_BETA = moment(2) / moment(0) - (moment(1) / moment(0)) ** 2


def belief_and_entropy(one_energy: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The belief in one position, and the entropy over all positions, as functions of that position's energy.

    The other positions enter only through R = sum of exp(e_i) and M = sum of e_i exp(e_i), so the result holds for
    every T.
    """
    others, others_energy = sp.Symbol("R", positive=True), sp.Symbol("M", real=True)
    partition = sp.exp(one_energy) + others
    belief = sp.exp(one_energy) / partition
    entropy_of_all = sp.log(partition) - (one_energy * sp.exp(one_energy) + others_energy) / partition
    return belief, entropy_of_all
