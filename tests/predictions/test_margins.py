"""Freezing margins: the number, its reason, and what is not detected; the command's file is what the registry reads."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from eisbach.errors import UserError
from predictions import margins
from predictions.judge.outcomes import pivot
from predictions.judge.quantities import of_control
from tests.predictions.conftest import judged, planted

SEEDS = {"first": 1100, "n": 12}


@pytest.fixture
def bare(page, load_page):
    """The page without margins; further keys of its first atom on the toy."""

    def load(**keys):
        first = page["claims"][0]["atoms"][0]
        first["on"] = {name: {"metric": "risk", "control": "curriculum"} | keys for name in ("toy", "real")}
        return load_page(page)

    return load


def frozen(plan, table, system="toy", factors=None):
    return margins.margins(plan, table, factors or {})["claim/risk"][system]


def test_a_margin_is_a_quarter_of_what_the_control_did(bare):
    plan, table = bare(), planted(**SEEDS)
    atom = plan.atoms[0]
    values = of_control(plan.controls["curriculum"], atom, atom.on["toy"], {"toy/one": pivot(table, "full")}).values
    found = frozen(plan, table)
    assert found.control == pytest.approx(values.mean(), rel=2e-3)
    assert found.margin == pytest.approx(values.mean() / 4, rel=2e-3)
    assert found.error == pytest.approx(values.std(ddof=1) / 12**0.5, rel=5e-3)
    assert found.because == "a quarter of a full curriculum"
    assert found.reach is None


@pytest.mark.parametrize(("paper", "margin"), [(3.0, 3.0), (5.0, 1.0)])
def test_the_paper_s_figure_is_taken_where_the_control_reaches_it(bare, paper, margin):
    found = frozen(bare(paper=paper), planted(**SEEDS))
    assert found.margin == pytest.approx(margin, rel=0.1)
    assert (found.because == "the paper's own figure") == (margin == paper)


def test_a_control_that_is_not_detected_gives_no_margin_and_no_direction(bare):
    found = frozen(bare(), planted(**SEEDS, **{"class": 0.0, "class_reversed": 0.0}))
    assert (found.margin, found.acts) == (None, None)
    assert "the control was not detected on 12 seeds" in found.because


@pytest.mark.parametrize(("control", "acts"), [(-4.0, "along"), (4.0, "against")])
def test_the_control_s_direction_is_frozen_and_the_gate_asks_for_it(bare, control, acts):
    plan, acting = bare(), {"class": control, "class_reversed": -control}
    found = margins.margins(plan, planted(**SEEDS, **acting), {})
    assert found["claim/risk"]["toy"].acts == acts
    sealed = replace(plan, margins=found)
    assert judged(sealed, planted(seed=1, **acting)).control.passed
    turned = {name: -effect for name, effect in acting.items()}
    assert not judged(sealed, planted(seed=1, **turned)).control.passed


def test_the_reach_is_the_linear_response_to_the_spread_of_factors(bare):
    factors = {("real", "barrier"): 0.05, ("real", "class"): 0.5, ("another", "class"): 9.0}
    found = frozen(bare(), planted(**SEEDS, regime="real"), "real", factors)
    assert found.reach == pytest.approx(0.1 * found.control / found.margin, rel=0.01)


def test_a_system_that_was_not_run_keeps_its_margins(bare):
    plan = bare()
    first = margins.margins(plan, planted(**SEEDS), {})
    both = margins.margins(replace(plan, margins=first), planted(**SEEDS, regime="real"), {})
    assert both["claim/risk"]["toy"] == first["claim/risk"]["toy"]
    assert set(both["claim/risk"]) == {"toy", "real"}


def test_the_spread_of_factors_is_their_deviation_over_their_mean_by_seed():
    rng = np.random.default_rng(0)
    factors = {seed: rng.uniform(0.5, 1.5, 100) for seed in (1100, 1101)}
    table = pd.concat(
        [
            pd.DataFrame({"regime": "small", "arm": "barrier", "seed": seed, "factor": of})
            for seed, of in factors.items()
        ]
    )
    found = margins.spreads(pd.concat([table, table.assign(seed=0, factor=9.0)]), [1100, 1101])
    assert found == {("small", "barrier"): pytest.approx(np.mean([of.std() / of.mean() for of in factors.values()]))}


def test_margins_are_frozen_on_all_their_seeds_or_not_at_all(bare):
    table = planted(**SEEDS)
    with pytest.raises(UserError, match="'toy/one' lacks seed 1105 of those that freeze margins"):
        margins.margins(bare(), table[table["seed"] != 1105], {})


def test_the_written_margins_are_those_that_the_registry_reads(bare, page, load_page, tmp_path):
    found = margins.margins(bare(), planted(**SEEDS), {})
    (tmp_path / "margins.yaml").write_text(margins.HEADER.format(first=1100, last=1111) + margins.text(found))
    assert load_page(page).margins == found
