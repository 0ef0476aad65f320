"""The proofs derive, refuse what is false, and agree with numbers that mpmath computes without sympy."""

import mpmath
import pytest
import sympy as sp

from predictions.proofs import derivations as proofs
from predictions.proofs.derivations import PROOFS, Proof, ProofError, equal, holds

NAMES = [derive.__name__ for derive in PROOFS]


@pytest.fixture(scope="module")
def derived() -> dict[str, Proof]:
    return {derive.__name__: derive() for derive in PROOFS}


@pytest.mark.parametrize("name", NAMES)
def test_every_proof_derives_and_says_what(derived, name):
    proof = derived[name]
    assert proof.name == name
    assert proof.statement.endswith(".")
    assert proof.equations
    assert all(isinstance(equation, sp.Eq | sp.StrictGreaterThan | sp.StrictLessThan) for equation in proof.equations)
    assert len(proof.latex) == len(proof.equations)
    assert all(latex and latex not in (r"\text{True}", "True") for latex in proof.latex)


def test_the_list_of_science_is_complete():
    assert NAMES == [
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
    ]


# What is false is refused: every statement, with the right side of each of its equations moved


@pytest.mark.parametrize("change", [lambda right: right + 1, lambda right: right - sp.Symbol("x")], ids=["one", "x"])
@pytest.mark.parametrize("name", NAMES)
def test_a_proof_that_is_made_false_raises(name, change, monkeypatch):
    """Each call of `equal` in turn gets a wrong right side; the proof must not survive any of them."""
    derive = getattr(proofs, name)
    calls = count_calls(derive, monkeypatch)
    for wrong in range(calls):
        seen = iter(range(calls))

        def falsified(left, right, seen=seen, wrong=wrong):
            return equal(left, change(sp.sympify(right)) if next(seen) == wrong else right)

        monkeypatch.setattr(proofs, "equal", falsified)
        with pytest.raises(ProofError, match="does not follow"):
            derive()


def count_calls(derive, monkeypatch) -> int:
    calls = []
    monkeypatch.setattr(proofs, "equal", lambda left, right: calls.append(None) or sp.Eq(left, right, evaluate=False))
    derive()
    return len(calls)


def test_the_counterexample_fails_in_the_other_direction(monkeypatch):
    monkeypatch.setattr(proofs, "holds", lambda relation: holds(sp.StrictLessThan(*relation.args, evaluate=False)))
    with pytest.raises(ProofError, match="does not follow"):
        proofs.entropy_is_not_schur_concave_in_the_energies()


def test_equal_refuses_a_difference_and_keeps_what_it_was_given():
    x = sp.Symbol("x", positive=True)
    with pytest.raises(ProofError, match=r"^x = 2\*x does not follow: the difference is -x$"):
        equal(x, 2 * x)
    with pytest.raises(ProofError):
        equal(sp.log(x**2), sp.log(x))
    equation = equal(sp.log(x**2), 2 * sp.log(x))
    assert equation.lhs == sp.log(x**2)
    assert equation.rhs == 2 * sp.log(x)


def test_holds_refuses_what_is_false_or_undecided():
    x = sp.Symbol("x", real=True)
    for relation in (sp.StrictGreaterThan(sp.exp(1), 2, evaluate=False), sp.StrictLessThan(2, 3, evaluate=False)):
        assert holds(relation) is relation
    for relation in (sp.StrictGreaterThan(2, sp.exp(1), evaluate=False), sp.StrictGreaterThan(x, 0, evaluate=False)):
        with pytest.raises(ProofError, match="does not follow"):
            holds(relation)


# mpmath alone, at points of our choice: the same statements without a line of sympy

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


@pytest.fixture(autouse=True)
def fifty_digits():
    with mpmath.workdps(50):
        yield


def close(first, second, digits=15) -> bool:
    return abs(first - second) <= mpmath.mpf(10) ** -digits * max(1, abs(second))


@pytest.mark.parametrize("entropy_share", ["0.1", "0.5", "0.9", "0.999"])
def test_slope_curvature_and_inflection_of_the_weight(entropy_share):
    share = mpmath.mpf(entropy_share)
    w = weight(1 - share)
    assert close(mpmath.diff(lambda value: weight(1 - value), share), -(w**2) / (1 - share))
    curvature = mpmath.diff(lambda value: weight(1 - value), share, 2)
    assert (curvature > 0) == (share < 1 - 1 / mpmath.e) == (1 + mpmath.log(1 - share) > 0)


@pytest.mark.parametrize(("gap", "lam"), [("0.3", "0.5"), ("1e-9", "0.9"), ("0.8", "0.1")])
def test_elasticities_by_differences(gap, lam):
    gap, lam = mpmath.mpf(gap), mpmath.mpf(lam)
    w = weight(gap)
    m = 1 - lam + lam * w
    along = mpmath.log(gap)
    assert close(mpmath.diff(lambda x: mpmath.log(weight(mpmath.exp(x))), along), w)
    slope = mpmath.diff(lambda x: mpmath.log(1 - lam + lam * weight(mpmath.exp(x))), along)
    assert close(slope, lam * w**2 / m)


@pytest.mark.parametrize("place", range(5))
def test_the_entropys_gradient_by_differences(place):
    def moved(value):
        return entropy([*ENERGIES[:place], value, *ENERGIES[place + 1 :]])

    p = belief(ENERGIES)[place]
    assert close(mpmath.diff(moved, ENERGIES[place]), -p * (mpmath.log(p) + entropy(ENERGIES)))


def test_the_entropys_fall_with_scale_by_differences():
    scale = mpmath.mpf("1.3")
    p = belief([scale * energy for energy in ENERGIES])
    mean = mpmath.fsum(a * b for a, b in zip(p, ENERGIES, strict=True))
    variance = mpmath.fsum(a * (b - mean) ** 2 for a, b in zip(p, ENERGIES, strict=True))
    slope = mpmath.diff(lambda beta: entropy([beta * energy for energy in ENERGIES]), scale)
    assert close(slope, -scale * variance)


def test_the_counterexample_in_numbers():
    assert divergence([4, 1, 1]) > divergence([4, 2, 0]) + mpmath.mpf("0.01")


def test_the_cumulant_expansion_to_fourth_order():
    small = [energy / 1000 for energy in ENERGIES]
    mean = mpmath.fsum(small) / 5
    second, third, fourth = (mpmath.fsum((energy - mean) ** n for energy in small) / 5 for n in (2, 3, 4))
    expansion = second / 2 + third / 3 + (fourth - 3 * second**2) / 8
    assert abs(divergence(small) - expansion) < mpmath.mpf(10) ** -13 < abs(third / 3) < second


def test_the_stable_formula_equals_the_divergence_and_an_error_enters_as_its_square():
    ratios = [mpmath.log(5 * p) for p in belief(ENERGIES)]

    def stable(error):
        return mpmath.fsum((r + error) * mpmath.exp(r + error) - mpmath.expm1(r + error) for r in ratios) / 5

    exact = divergence(ENERGIES)
    assert close(stable(0), exact, 40)
    error = mpmath.mpf("1e-6")
    assert abs(stable(error) - exact - error * exact - error**2 * (1 + exact) / 2) < 10 * error**3


def test_a_repetition_keeps_the_divergence():
    assert close(divergence(ENERGIES * 2), divergence(ENERGIES), 40)


def test_white_noise_has_energies_of_variance_two_sigma_to_the_fourth_over_channels():
    sigma, channels = mpmath.mpf("0.8"), 6

    def moment(power):
        return mpmath.quad(lambda y: y**power * mpmath.npdf(y, 0, sigma), [-mpmath.inf, 0, mpmath.inf])

    assert close((moment(4) - moment(2) ** 2) / channels, 2 * sigma**4 / channels, 12)


def test_the_attached_term_by_differences():
    """Two channels, three positions; the loss is any smooth function of one entry."""
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


def test_the_minimiser_under_a_weight_that_looks_at_the_data():
    q, v, w = ([mpmath.mpf(x) for x in values] for values in (("0.2", "0.5", "0.3"), ("-1", "2", "0.4"), (1, 3, "0.1")))

    def mean(values):
        return mpmath.fsum(a * b for a, b in zip(q, values, strict=True))

    def slope(y):
        return mean([b * (y - a) for a, b in zip(v, w, strict=True)])

    weighted = mean([a * b for a, b in zip(v, w, strict=True)])
    minimiser = mpmath.findroot(slope, 0)
    assert close(minimiser, weighted / mean(w))
    assert close(minimiser - mean(v), (weighted - mean(w) * mean(v)) / mean(w))


def test_adam_in_numbers_scales_eps_and_nothing_else():
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
