"""What the weight does to gradients, to the optimum and to AdamW's steps."""

import sympy as sp

from predictions.proofs.proof import Proof, equal
from predictions.proofs.symbols import belief_and_entropy, length, scale


def attached_gradient() -> Proof:
    """The term that the loss's gradient gains when w is not detached (the arm `attached`)."""
    y, others, channels, one_energy = sp.Symbol("y", real=True), *sp.symbols("S C e_s", positive=True)
    belief, entropy = belief_and_entropy(one_energy)
    loss, divergence = sp.Function("L")(y), sp.Function("K")
    mean_square = (y**2 + others) / channels  # S: the sum of squares of the position's other channels
    weight = 1 / (1 - sp.log(divergence(mean_square) / sp.log(length)))
    slope = sp.Subs(sp.Derivative(divergence(one_energy), one_energy), one_energy, mean_square)
    term = weight**2 / divergence(mean_square) * slope * 2 * y / channels
    return Proof(
        "attached_gradient",
        "When w is not detached, the gradient gains the term L (w^2 / K) sum_s p_s (log p_s + H) (2 / C) sum_c y_cs "
        "grad y_cs, which points along the output itself, not along the error.",
        (
            equal(sp.diff(loss * weight, y), weight * sp.diff(loss, y) + loss * term),
            equal(sp.diff(sp.log(length) - entropy, one_energy), belief * (sp.log(belief) + entropy)),
        ),
        "0 < K < log T. The first equation is the derivative in one channel y of one position, where K' is K's "
        "derivative with respect to that position's energy; the second equation is that K'. The chain rule adds up "
        "positions and channels",
    )


def detached_direction() -> Proof:
    """A detached factor keeps the direction of one sample's gradient and turns that of a batch."""
    first, second = sp.symbols("m_1 m_2", positive=True)
    g, h = sp.Matrix(sp.symbols("g_1 g_2", real=True)), sp.Matrix(sp.symbols("h_1 h_2", real=True))

    def cross(a: sp.Matrix, b: sp.Matrix) -> sp.Expr:
        return a[0] * b[1] - a[1] * b[0]

    scaled = first * g
    return Proof(
        "detached_direction",
        "With a detached w, one sample's gradient keeps its direction (cosine 1). A batch's gradient does not: for two "
        "samples with unequal factors and gradients that are not parallel, it turns by (m_1 - m_2) times their cross "
        "product.",
        (
            equal(scaled.dot(g), first * g.dot(g)),  # positive, and maximal by Cauchy-Schwarz:
            equal(scaled.dot(g) ** 2, scaled.dot(scaled) * g.dot(g)),
            equal(cross(scaled + second * h, g + h), (first - second) * cross(g, h)),
        ),
        "m > 0, which lambda < 1 ensures; two dimensions suffice, because two gradients span a plane",
    )


def fixed_point() -> Proof:
    """The minimiser of the weighted squared error, for a factor of the input and for one of the clean sample."""
    k, states = sp.Symbol("k", integer=True), sp.Symbol("n", integer=True, positive=True)
    q, v, w = sp.IndexedBase("q", positive=True), sp.IndexedBase("v", real=True), sp.IndexedBase("w", positive=True)
    y, m = sp.Symbol("y", real=True), sp.Symbol("m", positive=True)

    def expected(product: sp.Expr) -> sp.Expr:
        """E[product] over k: factors without k move out of the sum, and the probabilities q sum to 1."""
        constant, varying = product.as_independent(k, as_Add=False)
        return constant if varying == 1 else constant * sp.Sum(q[k] * varying, (k, 1, states))

    def minimiser(factor: sp.Expr) -> sp.Expr:
        """The root of the derivative of E[factor (y - v)^2]; it is a minimum, because 2 E[factor] > 0."""
        slope, offset = sp.Poly(sp.diff(factor * (y - v[k]) ** 2, y), y).all_coeffs()
        (root,) = sp.solve(expected(slope) * y + expected(offset), y)
        return root

    covariance = expected(w[k] * v[k]) - expected(w[k]) * expected(v[k])
    return Proof(
        "fixed_point",
        "At a given noised input, clean sample k has the velocity v_k and the probability q_k. A detached factor m "
        "that depends only on the input, t and the condition leaves E[v | x_t] as the only stationary point. A weight "
        "w_k that depends on the clean sample moves it to E[w v] / E[w], that is by Cov(w, v) / E[w].",
        (
            equal(minimiser(m), expected(v[k])),
            equal(minimiser(w[k]), expected(w[k] * v[k]) / expected(w[k])),
            equal(minimiser(w[k]) - minimiser(m), covariance / expected(w[k])),
        ),
        "m > 0 and detached, so its own dependence on y adds nothing to the gradient; unrestricted model; convergence",
    )


def adamw_ignores_a_constant_factor() -> Proof:
    """AdamW's recursions under a loss that is multiplied by a constant c."""
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
        "A constant factor c on the loss scales Adam's two moments by c and c^2 at every step. The update stays the "
        "same except that eps becomes eps / c. Decoupled weight decay does not depend on the loss. Under SGD, c "
        "multiplies the learning rate.",
        (
            equal(first(scale * m, scale * g), scale * first(m, g)),
            equal(second(scale**2 * v, scale * g), scale**2 * second(v, g)),
            equal(update(scale * m, scale**2 * v, eps), update(m, v, eps / scale)),
            equal(rate * (scale * g), (scale * rate) * g),
        ),
        "by induction over steps, starting from moments 0; no gradient clipping; coupled (L2) weight decay would add a "
        "term without c",
    )
