"""How much the weight can do, from statistics of the output: the closed forms of `predictions.weight_map`."""

import sympy as sp

from predictions.proofs.proof import Proof, equal
from predictions.proofs.symbols import VARIANCE_AT_BETA, beta, gap, lam, length, moment

channels = sp.Symbol("C", positive=True)


def second_order_gap() -> Proof:
    """The gap D to second order, for Gaussian channels whose variance changes over time."""
    q, mean, variation = sp.symbols("q mu v", positive=True)
    shape = channels / 2
    density = q ** (shape - 1) * sp.exp(-shape * q) * shape**shape / sp.gamma(shape)  # of chi^2_C / C

    def chi_square(power: int) -> sp.Expr:
        return sp.gammasimp(sp.integrate(q**power * density, (q, 0, sp.oo)))

    squared = mean**2 * (1 + variation)  # E of the squared expected energy
    variance = squared * chi_square(2) - (mean * chi_square(1)) ** 2
    second_order = variance / (2 * sp.log(length))
    return Proof(
        "second_order_gap",
        "At each position, let the output have C independent Gaussian channels of equal variance, and let this "
        "variance have mean mu and squared coefficient of variation v over positions. Then K = kappa_2 / 2 gives D = "
        "mu^2 ((1 + v)(1 + 2/C) - 1) / (2 log T). Without variation its floor is mu^2 / (C log T).",
        (
            equal(chi_square(1), sp.Integer(1)),
            equal(chi_square(2), 1 + 2 / channels),
            equal(second_order, mean**2 * ((1 + variation) * (1 + 2 / channels) - 1) / (2 * sp.log(length))),
            equal(second_order.subs(variation, 0), mean**2 / (channels * sp.log(length))),
        ),
        "many independent positions; second order in the energies. The floor belongs to Gaussian channels: latents "
        "whose energy per position is itself regularised can lie below it",
    )


def divergence_bounds() -> Proof:
    """Bounds of K between multiples of its second-order value, from the range of the energies."""
    spread, s = sp.Symbol("R", positive=True), sp.Symbol("s", positive=True)
    mean = moment(1) / moment(0)
    third = moment(3) / moment(0) - 3 * mean * moment(2) / moment(0) + 2 * mean**3
    return Proof(
        "divergence_bounds",
        "Let R be the largest energy minus the smallest. K / (Var e / 2) lies between 2 (1 - e^-R (1 + R)) / R^2 and "
        "2 (1 + e^R (R - 1)) / R^2, so second order is exact as R -> 0.",
        (
            equal(sp.diff(VARIANCE_AT_BETA, beta), third),
            equal(sp.integrate(s * sp.exp(spread * s), (s, 0, 1)), (1 + sp.exp(spread) * (spread - 1)) / spread**2),
            equal(sp.integrate(s * sp.exp(-spread * s), (s, 0, 1)), (1 - sp.exp(-spread) * (1 + spread)) / spread**2),
            equal(sp.limit(2 * (1 + sp.exp(spread) * (spread - 1)) / spread**2, spread, 0), sp.Integer(1)),
        ),
        "K is the integral over s from 0 to 1 of s Var_s (entropy_falls_with_scale), Var_s the variance under the "
        "belief at energies s e. Its derivative is the third central moment, at most R Var_s in size because every "
        "energy is within R of the mean. So Var_s lies between e^(-R s) and e^(R s) times Var_0",
    )


def ideal_output_at_both_ends() -> Proof:
    """The ideal output along one direction of Gaussian data, and the weight of pure noise."""
    t, u, x, n = sp.Symbol("t", positive=True), sp.Symbol("u", positive=True), *sp.symbols("x n", real=True)
    noisy = (1 - t) * x + t * n
    variance = (1 - t) ** 2 * u + t**2
    slope = (t - (1 - t) * u) / variance
    covariance = sp.expand((n - x) * noisy).subs({x * n: 0}).subs({x**2: u, n**2: 1})
    output = slope * noisy
    noise_gap = 1 / (channels * sp.log(length))
    return Proof(
        "ideal_output_at_both_ends",
        "Along a direction in which the data have variance u > 0, the ideal output E[v | x_t] is -x at t = 0: w(0) is "
        "the weight of the clean latents. Across a manifold (u = 0) it stays the noise at every t > 0. At t = 1 it is "
        "the noise, up to the mean of the data, and to second order w(1) = 1 / (1 + log(C log T)).",
        (
            equal(covariance / variance, slope),
            equal(output.subs(t, 0), -x),
            equal(output.subs({u: 0, x: 0}), n),
            equal(output.subs(t, 1), n),
            equal(1 / (1 - sp.log(noise_gap)), 1 / (1 + sp.log(channels * sp.log(length)))),
        ),
        "Gaussian data of mean 0, independent of the noise. At t = 0, x_t is the clean sample itself, so the first "
        "part holds for all data with a density",
    )


def posterior_energy() -> Proof:
    """Energy of a posterior mean and its correlations with data and noise, from the loss that it leaves."""
    t, s, loss = sp.symbols("t s L", positive=True)
    # x0 = a + r and n = m - (1 - t) r / t, where a and m are posterior means and r, orthogonal to both, has variance
    # t^2 L: the error of m - a is -r / t.
    error = t**2 * loss
    mean_mean = (1 - t) / t * error  # E a m, from E x0 n = 0
    data, noise = s - error, 1 - ((1 - t) / t) ** 2 * error  # E a^2, E m^2
    with_data, with_noise = data - mean_mean, noise - mean_mean  # -E y x0, E y n
    energy = data + noise - 2 * mean_mean
    rest = energy - with_data**2 / s - with_noise**2
    linear = s / ((1 - t) ** 2 * s + t**2)
    return Proof(
        "posterior_energy",
        "Let y = E[n - x0 | x_t] leave the loss L where the data have the energy s. Then y has the mean energy "
        "1 + s - L; its regression on data and noise is -(1 - t L / s) x0 + (1 - (1 - t) L) n, and the rest has the "
        "variance L (1 - L / L_linear), L_linear = s / ((1 - t)^2 s + t^2), which is 0 for the best linear predictor.",
        (
            equal(energy, 1 + s - loss),
            equal(with_data / s, 1 - t * loss / s),
            equal(with_noise, 1 - (1 - t) * loss),
            equal(rest, loss * (1 - loss / linear)),
            equal((1 + s - loss).subs(loss, linear), (t - (1 - t) * s) ** 2 / ((1 - t) ** 2 * s + t**2)),
        ),
        "data of mean 0, independent of the unit noise; expectations over all x_t, so they hold on average over "
        "positions and not at positions chosen by their clean energy; a trained model obeys them as far as its error "
        "is orthogonal to its output",
    )


def ratio_bound() -> Proof:
    """The bound on the ratio of any two factors at lambda."""
    one, other = sp.symbols("w_1 w_2", nonnegative=True)
    ratio = ((1 - lam) + lam * one) / ((1 - lam) + lam * other)
    excess = lam * ((1 - lam) * (1 - one) + other) / ((1 - lam) * ((1 - lam) + lam * other))
    weight = 1 / (1 - sp.log(gap))
    return Proof(
        "ratio_bound",
        "No factor is more than 1 / (1 - lambda) times another: at lambda .5 the barrier weights no sample more than "
        "twice as much as another.",
        (
            equal(1 / (1 - lam) - ratio, excess),
            equal(ratio.subs({one: 1, other: 0}), 1 / (1 - lam)),
            equal(sp.limit(weight, gap, 0), sp.Integer(0)),
        ),
        "0 < lambda < 1 and weights in [0, 1], which make the first right side non-negative; it is 0 only for weights "
        "1 and 0",
    )


def linear_response() -> Proof:
    """AdamW's update under factors 1 + epsilon delta: first order in epsilon, blind to a common delta."""
    eps, rate = sp.symbols("epsilon eta", positive=True)
    first, second, curvature = sp.symbols("V_0 c_1 V_2", positive=True)
    m0, m1, v1 = sp.symbols("M_0 M_1 V_1", real=True)
    update = rate * (m0 + eps * m1) / second / sp.sqrt(first + 2 * eps * v1 + eps**2 * curvature)
    slope = sp.diff(update, eps).subs(eps, 0)
    response = rate / second * (m1 / sp.sqrt(first) - m0 * v1 / first ** sp.Rational(3, 2))
    a, b = sp.symbols("a b", real=True)
    return Proof(
        "linear_response",
        "Let each sample's factor be m (1 + epsilon delta_k). To first order in epsilon AdamW's update changes by a "
        "linear function of the deltas, which a delta common to all samples leaves at 0. So what a near-constant "
        "factor does is its relative spread times its correlation with what has an effect; its mean does nothing.",
        (
            equal(slope, response),
            equal(response.subs({m1: a * m0, v1: a * first}), sp.Integer(0)),
            equal(
                response.subs({m1: a * m1 + b * m0, v1: a * v1 + b * first}, simultaneous=True),
                a * response,
            ),
        ),
        "M = M_0 + epsilon M_1 and V = V_0 + 2 epsilon V_1 + epsilon^2 V_2 are Adam's moments; M_1 and V_1 are linear "
        "in the deltas; V_0 > 0; Adam's eps and clipping are negligible; one step, the effect on later gradients is of "
        "first order too while they are differentiable in the parameters",
    )
