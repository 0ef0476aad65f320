"""The mathematics of the barrier, derived by sympy: each function derives one statement and returns it as a Proof.

No function substitutes numbers, except for counterexamples, where one exact case is the proof. T, the number of
positions, stays a symbol. A derivation that does not close raises ProofError. `PROOFS` holds all of them, in order.

Symbols: e energy, p belief, H entropy, B = H / log T, K = log T - H, D = 1 - B = K / log T, w weight, m factor.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp


class ProofError(Exception):
    """A derivation did not close: the statement is false, or sympy cannot see that it holds."""


@dataclass(frozen=True)
class Proof:
    """A statement in words, the equations that were derived for it, and the conditions under which they say it."""

    name: str
    statement: str
    equations: tuple[sp.Basic, ...]
    conditions: str = ""

    @property
    def latex(self) -> list[str]:
        return [sp.latex(equation) for equation in self.equations]


PROOFS: list[Callable[[], Proof]] = []


def proof(derive: Callable[[], Proof]) -> Callable[[], Proof]:
    PROOFS.append(derive)
    return derive


def equal(left: sp.Expr, right: sp.Expr) -> sp.Eq:
    """The equation left = right, if their difference simplifies to 0."""
    difference = sp.expand(sp.sympify(left - right).doit())
    if difference != 0 and sp.simplify(sp.expand_log(difference, force=True)) != 0:
        raise ProofError(f"{left} = {right} does not follow: the difference is {difference}")
    return sp.Eq(left, right, evaluate=False)


def holds(relation: sp.Basic) -> sp.Basic:
    """The relation, if sympy decides it; an exact number's sign is decided by interval arithmetic."""
    difference = relation.lhs - relation.rhs
    known = {sp.StrictLessThan: difference.is_negative, sp.StrictGreaterThan: difference.is_positive}
    if not known[type(relation)]:
        raise ProofError(f"{relation} does not follow")
    return relation


B, D, K, T, Z = sp.symbols("B D K T Z", positive=True)
lam, beta, scale = sp.symbols("lambda beta c", positive=True)
e = sp.IndexedBase("e", real=True)
i = sp.Symbol("i", integer=True)
N = sp.Symbol("T", integer=True, positive=True)


def moment(order: int) -> sp.Expr:
    """Sum over positions of e^order exp(beta e): the belief at energies beta e has mean moment(1) / moment(0)."""
    return sp.Sum(e[i] ** order * sp.exp(beta * e[i]), (i, 1, N))


ENTROPY_AT_BETA = sp.log(moment(0)) - beta * moment(1) / moment(0)  # -sum p log p with log p = beta e - log sum exp
VARIANCE_AT_BETA = moment(2) / moment(0) - (moment(1) / moment(0)) ** 2


def singled_out(energy: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Belief in one position of this energy, and the entropy of all; the others enter through two constants.

    R = sum of exp(e_i) and M = sum of e_i exp(e_i) over the other positions, so this holds for every T.
    """
    others, others_energy = sp.Symbol("R", positive=True), sp.Symbol("M", real=True)
    partition = sp.exp(energy) + others
    return sp.exp(energy) / partition, sp.log(partition) - (energy * sp.exp(energy) + others_energy) / partition


@proof
def weight_falls_with_entropy() -> Proof:
    weight = 1 / (1 - sp.log(1 - B))
    slope, curvature = sp.diff(weight, B), sp.diff(weight, B, 2)
    inflection = 1 - sp.exp(-1)
    # The curvature is (log(1 - B) + 1) times a positive factor for 0 < B < 1, so it changes its sign there, once.
    sign = (1 + sp.log(1 - B)) * weight**3 / (1 - B) ** 2
    return Proof(
        "weight_falls_with_entropy",
        "The weight falls strictly from 1 at entropy 0 to 0 at entropy 1, with one inflection at B = 1 - 1/e.",
        (
            equal(slope, -(weight**2) / (1 - B)),
            equal(sp.limit(weight, B, 0), sp.Integer(1)),
            equal(sp.limit(weight, B, 1, "-"), sp.Integer(0)),
            equal(curvature, sign),
            equal(sign.subs(B, inflection), sp.Integer(0)),
        ),
        "0 < B < 1; there w > 0, and 1 + log(1 - B) has the single root 1 - 1/e",
    )


@proof
def elasticities() -> Proof:
    w = 1 / (1 - sp.log(D))
    m = (1 - lam) + lam * w
    return Proof(
        "elasticities",
        "A gap one per cent larger makes the weight w per cent larger and the factor lambda w^2 / m per cent larger.",
        (equal(D * sp.diff(sp.log(w), D), w), equal(D * sp.diff(sp.log(m), D), lam * w**2 / m)),
        "0 < D < 1, 0 < lambda <= 1",
    )


@proof
def entropy_gradient() -> Proof:
    energy = sp.Symbol("e_s", real=True)
    belief, entropy = singled_out(energy)
    return Proof(
        "entropy_gradient",
        "Raising one energy changes the entropy by -p (log p + H): up where the position is rarer than typical.",
        (equal(sp.diff(entropy, energy), -belief * (sp.log(belief) + entropy)),),
    )


@proof
def entropy_falls_with_scale() -> Proof:
    return Proof(
        "entropy_falls_with_scale",
        "Scaling all energies up never raises the entropy: its derivative is -beta times a variance under the belief.",
        (equal(sp.diff(ENTROPY_AT_BETA, beta), -beta * VARIANCE_AT_BETA),),
        "any energies, beta > 0",
    )


@proof
def entropy_is_schur_concave_in_the_belief() -> Proof:
    p_i, p_j, rest = sp.symbols("p_i p_j h", positive=True)
    entropy = -p_i * sp.log(p_i) - p_j * sp.log(p_j) + rest
    ostrowski = (p_i - p_j) * (sp.diff(entropy, p_i) - sp.diff(entropy, p_j))
    return Proof(
        "entropy_is_schur_concave_in_the_belief",
        "Entropy is Schur-concave in the belief: the Schur-Ostrowski product is never positive, as log is increasing.",
        (equal(ostrowski, -(p_i - p_j) * (sp.log(p_i) - sp.log(p_j))),),
        "p_i, p_j > 0; entropy is symmetric",
    )


@proof
def entropy_is_not_schur_concave_in_the_energies() -> Proof:
    def divergence(*energies: int) -> sp.Expr:
        partition = sum(sp.exp(energy) for energy in energies)
        mean = sum(energy * sp.exp(energy) for energy in energies) / partition
        return sp.log(len(energies)) + mean - sp.log(partition)

    level, steep = (4, 1, 1), (4, 2, 0)
    if sum(level) != sum(steep) or any(sum(level[:n]) > sum(steep[:n]) for n in (1, 2)):
        raise ProofError(f"{level} is not majorised by {steep}")
    return Proof(
        "entropy_is_not_schur_concave_in_the_energies",
        "(4, 1, 1) is majorised by (4, 2, 0) and yet has the larger K: levelling energies can concentrate the belief.",
        (holds(sp.StrictGreaterThan(divergence(*level), divergence(*steep), evaluate=False)),),
    )


@proof
def cumulant_expansion() -> Proof:
    n, kappa = sp.Symbol("n", integer=True, positive=True), sp.IndexedBase("kappa")
    generating = sp.log(moment(0) / N)  # of the cumulants under the uniform law, by definition
    divergence = sp.log(N) - ENTROPY_AT_BETA
    term = kappa[n] * beta**n / sp.factorial(n)
    transformed = beta * sp.diff(term, beta) - term
    coefficients = [(n - 1) / sp.factorial(n)] * 3
    return Proof(
        "cumulant_expansion",
        "K = kappa_2 / 2 + kappa_3 / 3 + kappa_4 / 8 + ..., in the cumulants of the energies under the uniform law.",
        (
            equal(divergence, beta * sp.diff(generating, beta) - generating),
            equal(transformed, (n - 1) * term),
            *(
                equal(coefficient.subs(n, order), sp.Rational(1, inverse))
                for coefficient, (order, inverse) in zip(coefficients, ((2, 2), (3, 3), (4, 8)), strict=True)
            ),
        ),
        "term by term; the first cumulant drops out, which is the invariance under a constant shift",
    )


@proof
def stable_formula() -> Proof:
    ell, n = sp.Symbol("l", real=True), sp.Symbol("n", integer=True, positive=True)
    phi = ell * sp.exp(ell) - sp.exp(ell) + 1
    shift = sp.Symbol("delta", real=True)
    # By K = mean(l e^l) and mean(e^l) = 1, mean(phi) = K. A common error delta of all l turns (K, 1) into:
    moved = sp.exp(shift) * (K + shift) - sp.exp(shift) + 1
    return Proof(
        "stable_formula",
        "K is the mean of phi(l) = l e^l - e^l + 1 over l = log(T p). phi has its minimum 0 at l = 0 and the series "
        "sum (n - 1) l^n / n!; an error delta common to all l moves the mean by delta K + "
        "delta^2 (1 + K) / 2 and higher terms.",
        (
            equal(sp.diff(phi, ell), ell * sp.exp(ell)),
            equal(phi.subs(ell, 0), sp.Integer(0)),
            equal(
                ell * n * ell ** (n - 1) / sp.factorial(n) - ell**n / sp.factorial(n),
                (n - 1) * ell**n / sp.factorial(n),
            ),
            equal(moved.series(shift, 0, 3).removeO(), K + shift * K + shift**2 * (1 + K) / 2),
        ),
        "the mean of e^l is 1, because T p has mean 1",
    )


@proof
def not_scale_free() -> Proof:
    sigma, y, channels = sp.Symbol("sigma", positive=True), sp.Symbol("y", real=True), sp.Symbol("C", positive=True)
    density = sp.exp(-(y**2) / (2 * sigma**2)) / (sigma * sp.sqrt(2 * sp.pi))

    def expected(power: int) -> sp.Expr:
        return sp.integrate(y**power * density, (y, -sp.oo, sp.oo))

    variance = (expected(4) - expected(2) ** 2) / channels
    doubled = K / sp.log(2 * T)
    return Proof(
        "not_scale_free",
        "The weight depends on the scale of the output, on its length and on its channels: scaling energies changes K; "
        "playing the same piece twice keeps K and divides by log 2T instead of log T; and white noise of "
        "variance sigma^2 in C channels has energies of variance 2 sigma^4 / C, so K is about sigma^4 / C.",
        (
            equal(sp.diff(sp.log(N) - ENTROPY_AT_BETA, beta), beta * VARIANCE_AT_BETA),
            equal(doubled / (K / sp.log(T)), sp.log(T) / (sp.log(2) + sp.log(T))),
            equal(variance, 2 * sigma**4 / channels),
            equal(variance / 2, sigma**4 / channels),
        ),
        "K is a mean over positions of T p log(T p), which a repetition leaves as it is; the last by K = kappa_2 / 2",
    )


@proof
def attached_gradient() -> Proof:
    y, others, channels, energy = sp.Symbol("y", real=True), *sp.symbols("S C e_s", positive=True)
    belief, entropy = singled_out(energy)
    loss, divergence = sp.Function("L")(y), sp.Function("K")
    mean_square = (y**2 + others) / channels  # S: the squares of the position's other channels
    weight = 1 / (1 - sp.log(divergence(mean_square) / sp.log(T)))
    slope = sp.Subs(sp.Derivative(divergence(energy), energy), energy, mean_square)
    term = weight**2 / divergence(mean_square) * slope * 2 * y / channels
    return Proof(
        "attached_gradient",
        "Not detached, the gradient gains L (w^2 / K) sum_s p_s (log p_s + H) (2 / C) sum_c y_cs grad y_cs: a term "
        "along the output itself, not along the error.",
        (
            equal(sp.diff(loss * weight, y), weight * sp.diff(loss, y) + loss * term),
            equal(sp.diff(sp.log(T) - entropy, energy), belief * (sp.log(belief) + entropy)),
        ),
        "0 < K < log T; first the derivative in one channel y of one position, K' being its derivative in that "
        "position's energy, then K'; the chain rule adds up positions and channels",
    )


@proof
def detached_direction() -> Proof:
    first, second = sp.symbols("m_1 m_2", positive=True)
    g, h = sp.Matrix(sp.symbols("g_1 g_2", real=True)), sp.Matrix(sp.symbols("h_1 h_2", real=True))

    def cross(a: sp.Matrix, b: sp.Matrix) -> sp.Expr:
        return a[0] * b[1] - a[1] * b[0]

    scaled = first * g
    return Proof(
        "detached_direction",
        "Detached, one sample's gradient keeps its direction (cosine 1). The gradient of a batch does not: two samples "
        "with unequal factors and gradients that are not parallel turn it, by (m_1 - m_2) times their cross product.",
        (
            equal(scaled.dot(g), first * g.dot(g)),  # positive, and by Cauchy-Schwarz at its largest:
            equal(scaled.dot(g) ** 2, scaled.dot(scaled) * g.dot(g)),
            equal(cross(scaled + second * h, g + h), (first - second) * cross(g, h)),
        ),
        "m > 0, which lambda < 1 ensures; two dimensions, being the plane of the two gradients",
    )


@proof
def fixed_point() -> Proof:
    k, states = sp.Symbol("k", integer=True), sp.Symbol("n", integer=True, positive=True)
    q, v, w = sp.IndexedBase("q", positive=True), sp.IndexedBase("v", real=True), sp.IndexedBase("w", positive=True)
    y, m = sp.Symbol("y", real=True), sp.Symbol("m", positive=True)

    def expected(value: sp.Expr) -> sp.Expr:
        """Of a product: what does not depend on k comes out, and the probabilities q sum to 1."""
        constant, varying = value.as_independent(k, as_Add=False)
        return constant if varying == 1 else constant * sp.Sum(q[k] * varying, (k, 1, states))

    def minimiser(factor: sp.Expr) -> sp.Expr:
        """The root of the derivative of E[factor (y - v)^2], term by term; it is a minimum, as 2 E[factor] > 0."""
        slope, offset = sp.Poly(sp.diff(factor * (y - v[k]) ** 2, y), y).all_coeffs()
        (root,) = sp.solve(expected(slope) * y + expected(offset), y)
        return root

    covariance = expected(w[k] * v[k]) - expected(w[k]) * expected(v[k])
    return Proof(
        "fixed_point",
        "At a given noised input, clean samples k give velocities v_k with probability q_k. A detached factor m that "
        "depends on the input, t and condition alone leaves E[v | x_t] the only stationary point. A weight w_k that "
        "looks at the clean sample moves it to E[w v] / E[w], away by Cov(w, v) / E[w].",
        (
            equal(minimiser(m), expected(v[k])),
            equal(minimiser(w[k]), expected(w[k] * v[k]) / expected(w[k])),
            equal(minimiser(w[k]) - minimiser(m), covariance / expected(w[k])),
        ),
        "m > 0 and detached (its own dependence on y does not enter the gradient), unrestricted model, convergence",
    )


@proof
def adamw_ignores_a_constant_factor() -> Proof:
    m, g, b1, b2 = sp.symbols("m g beta_1 beta_2", real=True)
    v, rate, eps, c1, c2 = sp.symbols("v eta epsilon c_1 c_2", positive=True)

    def first(state: sp.Expr, gradient: sp.Expr) -> sp.Expr:
        return b1 * state + (1 - b1) * gradient

    def second(state: sp.Expr, gradient: sp.Expr) -> sp.Expr:
        return b2 * state + (1 - b2) * gradient**2

    def update(m: sp.Expr, v: sp.Expr, eps: sp.Expr) -> sp.Expr:
        return rate * (m / c1) / (sp.sqrt(v / c2) + eps)  # c_1, c_2: bias corrections

    return Proof(
        "adamw_ignores_a_constant_factor",
        "A constant factor c on the loss scales Adam's moments by c and c^2, step after step, and leaves its update as "
        "it was but for eps, which becomes eps / c. Decoupled weight decay sees no loss. For SGD c is a learning rate.",
        (
            equal(first(scale * m, scale * g), scale * first(m, g)),
            equal(second(scale**2 * v, scale * g), scale**2 * second(v, g)),
            equal(update(scale * m, scale**2 * v, eps), update(m, v, eps / scale)),
            equal(rate * (scale * g), (scale * rate) * g),
        ),
        "by induction over steps from moments 0; no gradient clipping; coupled (L2) decay would add a term without c",
    )
