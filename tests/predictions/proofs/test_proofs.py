"""Every proof can be derived, refuses a false equation, and agrees with numbers that mpmath computes without sympy."""

import sys

import mpmath
import pytest
import sympy as sp

from predictions import proofs
from predictions.proofs import PROOFS, Proof, ProofError
from predictions.proofs import entropy as entropy_proofs
from predictions.proofs.proof import equal, holds
from tests.predictions.proofs.conftest import close

DERIVATIONS = {derive.__name__: derive for derive in PROOFS}


@pytest.fixture(scope="module")
def derived() -> dict[str, Proof]:
    return {name: derive() for name, derive in DERIVATIONS.items()}


@pytest.mark.parametrize("name", DERIVATIONS)
def test_every_proof_has_its_name_a_statement_and_relations(derived, name):
    proof = derived[name]
    assert proof.name == name
    assert proof.statement.endswith(".")
    assert proof.equations
    assert all(isinstance(equation, sp.Eq | sp.StrictGreaterThan | sp.StrictLessThan) for equation in proof.equations)


@pytest.mark.parametrize("name", DERIVATIONS)
def test_the_latex_of_a_proof_shows_every_relation_unevaluated(derived, name):
    proof = derived[name]
    assert len(proof.latex) == len(proof.equations)
    assert all(latex and latex not in (r"\text{True}", "True") for latex in proof.latex)


def test_the_proofs_are_listed_in_the_order_of_the_report():
    assert list(DERIVATIONS) == [
        "weight_falls_with_entropy",
        "elasticities",
        "entropy_gradient",
        "entropy_falls_with_scale",
        "entropy_is_schur_concave_in_the_belief",
        "entropy_is_not_schur_concave_in_the_energies",
        "cumulant_expansion",
        "stable_formula",
        "not_scale_free",
        "attached_gradient",
        "detached_direction",
        "fixed_point",
        "adamw_ignores_a_constant_factor",
        "second_order_gap",
        "divergence_bounds",
        "ideal_output_at_both_ends",
        "posterior_energy",
        "ratio_bound",
        "linear_response",
    ]


# Every call of `equal` in every proof is falsified once: its right side gets 1 or x added.


@pytest.mark.parametrize("change", [lambda right: right + 1, lambda right: right - sp.Symbol("x")], ids=["one", "x"])
@pytest.mark.parametrize("name", DERIVATIONS)
def test_a_proof_with_any_one_false_equation_raises(name, change, monkeypatch):
    derive = DERIVATIONS[name]
    module = sys.modules[derive.__module__]
    calls = count_calls(derive, module, monkeypatch)
    assert calls == sum(isinstance(equation, sp.Eq) for equation in derive().equations)
    for wrong in range(calls):
        seen = iter(range(calls))

        def falsified(left, right, seen=seen, wrong=wrong):
            return equal(left, change(sp.sympify(right)) if next(seen) == wrong else right)

        monkeypatch.setattr(module, "equal", falsified)
        with pytest.raises(ProofError, match="does not follow"):
            derive()


def count_calls(derive, module, monkeypatch) -> int:
    """How often `derive` calls `equal`; leaves the real `equal` in place."""
    calls = []
    with monkeypatch.context() as patched:
        patched.setattr(module, "equal", lambda left, right: calls.append(1) or sp.Eq(left, right, evaluate=False))
        derive()
    return len(calls)


def test_the_counterexample_fails_in_the_other_direction(monkeypatch):
    def reversed_holds(relation):
        return holds(sp.StrictLessThan(*relation.args, evaluate=False))

    monkeypatch.setattr(entropy_proofs, "holds", reversed_holds)
    with pytest.raises(ProofError, match="does not follow"):
        proofs.entropy_is_not_schur_concave_in_the_energies()


def test_equal_raises_for_sides_that_differ():
    x = sp.Symbol("x", positive=True)
    with pytest.raises(ProofError, match=r"^x = 2\*x does not follow: the difference is -x$"):
        equal(x, 2 * x)
    with pytest.raises(ProofError, match="does not follow"):
        equal(sp.log(x**2), sp.log(x))


def test_equal_returns_both_sides_unsimplified():
    x = sp.Symbol("x", positive=True)
    equation = equal(sp.log(x**2), 2 * sp.log(x))
    assert equation.lhs == sp.log(x**2)
    assert equation.rhs == 2 * sp.log(x)


X = sp.Symbol("x", real=True)


@pytest.mark.parametrize(
    "relation",
    [sp.StrictGreaterThan(sp.exp(1), 2, evaluate=False), sp.StrictLessThan(2, 3, evaluate=False)],
)
def test_holds_returns_a_true_inequality(relation):
    assert holds(relation) is relation


@pytest.mark.parametrize(
    "relation",
    [sp.StrictGreaterThan(2, sp.exp(1), evaluate=False), sp.StrictGreaterThan(X, 0, evaluate=False)],
    ids=["false", "undecided"],
)
def test_holds_raises_for_an_inequality_that_is_false_or_undecided(relation):
    with pytest.raises(ProofError, match="does not follow"):
        holds(relation)


# The same statements checked numerically with mpmath, without sympy.

ENERGIES = [mpmath.mpf(value) for value in ("0.3", "1.7", "0.9", "2.4", "0.05")]


def belief(energies):
    partition = mpmath.fsum(map(mpmath.exp, energies))
    return [mpmath.exp(energy) / partition for energy in energies]


def entropy(energies):
    return -mpmath.fsum(p * mpmath.log(p) for p in belief(energies))


def divergence(energies):
    return mpmath.log(len(energies)) - entropy(energies)


def weight(gap):
    return 1 / (1 - mpmath.log(gap))


@pytest.mark.parametrize("entropy_share", ["0.1", "0.5", "0.9", "0.999"])
def test_slope_curvature_and_inflection_of_the_weight(entropy_share):
    share = mpmath.mpf(entropy_share)
    w = weight(1 - share)
    assert close(mpmath.diff(lambda value: weight(1 - value), share), -(w**2) / (1 - share))
    curvature = mpmath.diff(lambda value: weight(1 - value), share, 2)
    assert (curvature > 0) == (share < 1 - 1 / mpmath.e) == (1 + mpmath.log(1 - share) > 0)


@pytest.mark.parametrize(("gap", "lam"), [("0.3", "0.5"), ("1e-9", "0.9"), ("0.8", "0.1")])
def test_elasticities_equal_numerical_derivatives(gap, lam):
    gap, lam = mpmath.mpf(gap), mpmath.mpf(lam)
    w = weight(gap)
    m = 1 - lam + lam * w
    along = mpmath.log(gap)
    assert close(mpmath.diff(lambda x: mpmath.log(weight(mpmath.exp(x))), along), w)
    slope = mpmath.diff(lambda x: mpmath.log(1 - lam + lam * weight(mpmath.exp(x))), along)
    assert close(slope, lam * w**2 / m)


@pytest.mark.parametrize("index", range(5))
def test_the_entropy_gradient_equals_a_numerical_derivative(index):
    def moved(value):
        return entropy([*ENERGIES[:index], value, *ENERGIES[index + 1 :]])

    p = belief(ENERGIES)[index]
    assert close(mpmath.diff(moved, ENERGIES[index]), -p * (mpmath.log(p) + entropy(ENERGIES)))


def test_the_derivative_of_the_entropy_by_scale_equals_a_numerical_derivative():
    scale = mpmath.mpf("1.3")
    p = belief([scale * energy for energy in ENERGIES])
    mean = mpmath.fsum(a * b for a, b in zip(p, ENERGIES, strict=True))
    variance = mpmath.fsum(a * (b - mean) ** 2 for a, b in zip(p, ENERGIES, strict=True))
    slope = mpmath.diff(lambda beta: entropy([beta * energy for energy in ENERGIES]), scale)
    assert close(slope, -scale * variance)


def test_the_counterexample_holds_numerically_by_a_margin():
    assert divergence([4, 1, 1]) > divergence([4, 2, 0]) + mpmath.mpf("0.01")


def test_the_cumulant_expansion_is_exact_to_fourth_order():
    small = [energy / 1000 for energy in ENERGIES]
    mean = mpmath.fsum(small) / 5
    second, third, fourth = (mpmath.fsum((energy - mean) ** n for energy in small) / 5 for n in (2, 3, 4))
    expansion = second / 2 + third / 3 + (fourth - 3 * second**2) / 8
    assert abs(divergence(small) - expansion) < mpmath.mpf(10) ** -13 < abs(third / 3) < second


def stable_divergence(energies, error):
    """The mean of phi(l + error) over l = log(T p)."""
    ratios = [mpmath.log(len(energies) * p) + error for p in belief(energies)]
    return mpmath.fsum(r * mpmath.exp(r) - mpmath.expm1(r) for r in ratios) / len(energies)


def test_the_stable_formula_equals_the_divergence():
    assert close(stable_divergence(ENERGIES, 0), divergence(ENERGIES), 40)


def test_a_common_error_moves_the_stable_formula_as_its_expansion_says():
    exact = divergence(ENERGIES)
    error = mpmath.mpf("1e-6")
    assert abs(stable_divergence(ENERGIES, error) - exact - error * exact - error**2 * (1 + exact) / 2) < 10 * error**3


def test_a_repetition_keeps_the_divergence():
    assert close(divergence(ENERGIES * 2), divergence(ENERGIES), 40)


def test_white_noise_has_energies_of_variance_two_sigma_to_the_fourth_over_channels():
    sigma, channels = mpmath.mpf("0.8"), 6

    def moment(power):
        return mpmath.quad(lambda y: y**power * mpmath.npdf(y, 0, sigma), [-mpmath.inf, 0, mpmath.inf])

    assert close((moment(4) - moment(2) ** 2) / channels, 2 * sigma**4 / channels, 12)


def test_the_attached_gradient_equals_a_numerical_derivative():
    """Two channels, three positions; the loss is a smooth function of one entry."""
    others = [mpmath.mpf("0.4"), mpmath.mpf("1.1")]
    fixed = mpmath.mpf("0.7")

    def energies(y):
        return [(y**2 + fixed**2) / 2, *others]

    def loss(y):
        return (y - 2) ** 2 + 1

    def w(y):
        return weight(divergence(energies(y)) / mpmath.log(3))

    y = mpmath.mpf("0.9")
    p = belief(energies(y))[0]
    slope = p * (mpmath.log(p) + entropy(energies(y)))
    term = loss(y) * w(y) ** 2 / divergence(energies(y)) * slope * (2 / mpmath.mpf(2)) * y
    assert close(mpmath.diff(lambda y: loss(y) * w(y), y), w(y) * 2 * (y - 2) + term)


def test_the_minimiser_under_a_weight_of_the_clean_sample_equals_a_numerical_root():
    q, v, w = ([mpmath.mpf(x) for x in values] for values in (("0.2", "0.5", "0.3"), ("-1", "2", "0.4"), (1, 3, "0.1")))

    def mean(values):
        return mpmath.fsum(a * b for a, b in zip(q, values, strict=True))

    def slope(y):
        return mean([b * (y - a) for a, b in zip(v, w, strict=True)])

    weighted = mean([a * b for a, b in zip(v, w, strict=True)])
    minimiser = mpmath.findroot(slope, 0)
    assert close(minimiser, weighted / mean(w))
    assert close(minimiser - mean(v), (weighted - mean(w) * mean(v)) / mean(w))


def test_a_constant_factor_changes_adams_updates_only_through_eps():
    gradients = [mpmath.mpf(value) for value in ("0.3", "-1.2", "0.7")]

    def updates(factor, eps):
        first = second = mpmath.mpf(0)
        for step, gradient in enumerate(gradients, 1):
            first = first * mpmath.mpf("0.9") + mpmath.mpf("0.1") * factor * gradient
            second = second * mpmath.mpf("0.99") + mpmath.mpf("0.01") * (factor * gradient) ** 2
            corrected = first / (1 - mpmath.mpf("0.9") ** step), second / (1 - mpmath.mpf("0.99") ** step)
            yield corrected[0] / (mpmath.sqrt(corrected[1]) + eps)

    c, eps = mpmath.mpf("0.37"), mpmath.mpf("1e-3")
    for scaled, plain in zip(updates(c, eps), updates(1, eps / c), strict=True):
        assert close(scaled, plain, 40)
