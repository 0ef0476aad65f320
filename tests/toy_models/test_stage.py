"""The stage `toys`: its tables, its settings and its units; tests/toy_models/test_process.py runs it as a process."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
import yaml

from eisbach.arms import Arm
from eisbach.errors import UserError
from eisbach.pipeline import arm_check, ranges
from eisbach.pipeline.outcomes import COLUMNS, MODEL, joined
from tests.settings import PARAMS
from toy_models import adapters, experiment, ideal, outcomes, units
from toy_models.arms import Stack
from toy_models.ensemble import Recipe, train
from toy_models.regimes import ANALYTIC, REGIMES

ROOT = Path(__file__).parents[2]
TINY = replace(
    PARAMS.toys,
    lams=[0.5],
    swept=["barrier"],
    seeds=[1000, 1001],
    regimes=["analytic", "densities/two_moons", "trajectories/c2", "trajectories/dit"],
    arms=["baseline", "barrier", "constant", "trace", "timestep", "shuffled", "inverse", "oracle", "attached"],
    sgd_arms=["baseline", "barrier", "constant"],
    length=0.005,
    samples=16,
    heldout=4,
    block=2,
)
CURVE_METRICS = {
    *("heldout_loss", "heldout_loss/flat", "heldout_loss/contrast"),
    *("excess_risk", "excess_risk/flat", "excess_risk/contrast", "relative_excess_risk/contrast"),
    *("excess_risk_share", "excess_risk_share/unconditional", *(f"excess_risk/t0.{tenth}" for tenth in range(10))),
    *("class_mass/contrast", "modes", "location_entropy", "vendi_gaussian", "sliced_wasserstein"),
    *("energy_range_db", "hull_area", "participation_ratio", "envelope_correlation", "waveform_diversity"),
    *("gap/class_mass/contrast", "gap/modes", "gap/location_entropy", "gap/vendi_gaussian", "gap/waveform_diversity"),
    *("w/t<0.2", "w/t>0.8", "w_spearman_t_pooled", "w_rise_share_t"),
    *("w_ratio/contrast_flat", *(f"w_ratio/contrast_flat/t0.{tenth}" for tenth in range(10))),
    *("weight_cv", "effective_sample_share", "entropy_loss_rho/t<0.2", "entropy_loss_rho/t>0.8"),
    *("gradient_cosine/sample", "gradient_cosine/batch", "diverged"),
}
CURVES_ONLY = {
    *("energy_range_db", "hull_area", "participation_ratio"),
    *("envelope_correlation", "waveform_diversity", "gap/waveform_diversity"),
}


@pytest.fixture(scope="session")
def tables():
    parts = [ideal.analytic(TINY.seeds, TINY)]
    parts += [experiment.run(name, TINY.seeds, TINY) for name in TINY.regimes[1:]]
    return {
        table: pd.concat([part[table] for part in parts if table in part], ignore_index=True)
        for table in outcomes.TABLES
    }


def test_outcomes_satisfy_the_schema_without_duplicates(tables):
    table = joined([tables["outcomes"]])
    assert list(table.columns) == list(COLUMNS)
    assert set(table["run"]) == {"short", "converged"}


def test_every_table_has_its_columns(tables):
    for name, columns in outcomes.TABLES.items():
        assert set(tables[name].columns) == set(columns), name


def test_every_arm_of_the_settings_is_trained_by_its_optimizers(tables):
    table = tables["outcomes"]
    for regime in ("densities/two_moons", "trajectories/c2"):
        full = table[(table["adapter"] == "full") & (table["regime"] == regime)]
        arms = full.groupby("optimizer")["arm"].unique().map(set).to_dict()
        assert arms == {"adamw": set(TINY.arms), "sgd": set(TINY.sgd_arms)}


def test_adapters_are_trained_on_two_channel_curves_by_both_networks(tables):
    table = tables["outcomes"]
    kinds = table.groupby("regime")["adapter"].unique().map(set).to_dict()
    with_adapters = {"full", *adapters.KINDS}
    assert kinds == {
        **{"analytic": {"full"}, "densities/two_moons": {"full"}},
        **{"trajectories/c2": with_adapters, "trajectories/dit": with_adapters},
    }


def test_every_model_has_every_metric(tables):
    table = tables["outcomes"]
    for regime, rows in table[table["regime"] != "analytic"].groupby("regime"):
        expected = CURVE_METRICS if regime.startswith("trajectories/") else CURVE_METRICS - CURVES_ONLY
        for model, metrics in rows.groupby(list(MODEL), dropna=False)["metric"].unique().map(set).items():
            assert metrics == expected, model


def test_the_transformer_trains_the_gates_arms_in_full_and_two_arms_as_adapters(tables):
    table = tables["outcomes"][tables["outcomes"]["regime"] == "trajectories/dit"]
    adapted = {"baseline", "barrier"}
    assert table.groupby("adapter")["arm"].unique().map(set).to_dict() == {
        "full": {*adapted, "constant", "oracle"},
        **dict.fromkeys(adapters.KINDS, adapted),
    }
    assert set(table.loc[table["arm"] == "barrier", "lam"]) == {TINY.lam}


def test_the_hull_area_of_samples_is_positive(tables):
    table = tables["outcomes"]
    areas = table[table["metric"] == "hull_area"]
    assert set(areas["regime"]) == {"trajectories/c2", "trajectories/dit"}
    assert (areas["value"] > 0).all()


def test_the_excess_risk_is_positive_and_below_the_loss(tables):
    curves = tables["curves"]
    assert (curves["excess_risk"] > 0).all()
    assert (curves["loss"] > curves["excess_risk"]).all()


@pytest.fixture
def diverging(monkeypatch):
    """The tables of a regime whose SGD runs all diverge."""
    regime = REGIMES["densities/two_moons"]
    recipes = {**regime.recipes, "sgd": Recipe("sgd", 1e30, batch=8)}
    monkeypatch.setitem(REGIMES, "densities/two_moons", replace(regime, recipes=recipes))
    settings = replace(TINY, arms=["baseline", "barrier", "constant"], length=0.01)
    return experiment.run("densities/two_moons", [1000], settings)


def test_of_a_diverged_seed_only_the_metric_diverged_is_kept(diverging):
    table = diverging["outcomes"].set_index("optimizer")
    assert set(table.loc["sgd", "metric"]) == {"diverged"}
    assert (table.loc["sgd", "value"] == 1).all()
    assert set(table.loc["adamw", "metric"]) == CURVE_METRICS - CURVES_ONLY
    assert set(diverging["curves"]["optimizer"]) == set(diverging["weights"]["optimizer"]) == {"adamw"}


def test_every_diverged_model_is_named_in_a_message(diverging):
    messages = outcomes.divergence_messages(diverging["outcomes"])
    assert len(messages) == 6
    assert messages[0].startswith("densities/two_moons, sgd, full, short: arm 'baseline', seed 1000, diverged; ")
    assert "arm 'barrier' at lambda 0.5, seed 1000" in messages[1]


def test_one_diverged_arm_drops_its_seed_from_all_arms_and_no_other_seed():
    key = {"regime": "r", "adapter": "full", "run": "short", "lam": 0.5}
    rows = [
        {
            **key,
            **{"optimizer": optimizer, "arm": arm, "seed": seed, "metric": metric},
            "value": float(metric == "diverged" and (optimizer, arm, seed) == ("sgd", "barrier", 1)),
        }
        for optimizer in ("sgd", "adamw")
        for arm in ("baseline", "barrier")
        for seed in (0, 1)
        for metric in ("heldout_loss", "diverged")
    ]
    table = pd.DataFrame(rows)
    curves = table.drop(columns="metric")
    kept = outcomes.drop_diverged_seeds({"outcomes": table, "curves": curves, "draws": pd.DataFrame()})
    dropped = (table["optimizer"] == "sgd") & (table["seed"] == 1)
    remaining = table[~dropped | (table["metric"] == "diverged")].reset_index(drop=True)
    assert len(remaining) == 14
    pd.testing.assert_frame_equal(kept["outcomes"], remaining)
    pd.testing.assert_frame_equal(kept["curves"], curves[~dropped].reset_index(drop=True))
    assert kept["draws"].empty


def test_the_digest_of_a_unit_depends_on_its_settings_and_not_on_other_units():
    digest = units.digest("trajectories/c2", [1000], TINY)
    others = replace(TINY, seeds=[1, 2], block=1, regimes=["analytic"])
    assert digest == units.digest("trajectories/c2", [1000], others)
    assert digest != units.digest("trajectories/c2", [1000], replace(TINY, lam=0.7))
    assert digest != units.digest("trajectories/c2", [1001], TINY)
    assert digest != units.digest("trajectories/c32", [1000], TINY)


def test_the_digest_of_the_closed_form_unit_depends_on_the_regimes_whose_curves_it_draws():
    others = replace(TINY, regimes=["analytic"])
    assert units.digest("analytic", [1000], TINY) != units.digest("analytic", [1000], others)


def test_the_digest_covers_all_code_in_eisbach_on_which_the_stage_depends():
    deps = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["toys"]["deps"]
    assert {f"eisbach/{name}" for name in units.CODE} == {path for path in deps if path.startswith("eisbach/")}
    assert all((ROOT / "eisbach" / name).exists() for name in units.CODE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": ["baseline", "barier"]}, "toys.arms in params.yaml has unknown barier; choose from"),
        (
            {"arms": ["baseline", "constant"], "sgd_arms": [], "swept": []},
            "toys.arms has constant but no barrier to follow",
        ),
        ({"lams": [0.3], "swept": ["barrier"]}, "0.5 is not among toys.lams"),
        ({"sgd_arms": ["baseline", "barier"]}, "toys.sgd_arms in params.yaml has unknown barier"),
        ({"sgd_arms": ["constant"]}, "toys.sgd_arms has constant but no barrier to follow"),
        ({"arms": ["edm2"], "sgd_arms": ["edm2"], "swept": []}, "toys.sgd_arms in params.yaml has unknown edm2"),
        ({"swept": ["bary"]}, "toys.swept in params.yaml has unknown bary"),
        ({"swept": ["constant"]}, "toys.swept has followers of the barrier but not barrier"),
    ],
)
def test_settings_that_cannot_run_are_refused(change, message):
    arm_check.toys(TINY)
    with pytest.raises(UserError, match=message):
        arm_check.toys(replace(TINY, **change))


def test_the_settings_know_every_regime():
    assert list(get_args(ranges.Regime)) == [ANALYTIC, *REGIMES]


def test_followers_of_the_short_run_are_calibrated_on_its_steps_only(monkeypatch):
    calls, follow = [], Stack.follow

    def record(stack, factors, t):
        calls.append((len(factors[0.5]), len(t)))
        follow(stack, factors, t)

    def train_only(network, weights, stack, recipe, kind, on_step=lambda step: None, **_):
        for step in train(network, setting.distribution, stack, weights, recipe, 8):
            on_step(step)

    monkeypatch.setattr(Stack, "follow", record)
    setting = experiment.Setting("densities/two_moons", [1000], TINY)
    setting._train_and_measure = train_only
    list(setting.full("adamw", [Arm("barrier", 0.5), Arm("timestep", 0.5, follows="barrier")]))
    assert setting.lengths == {"short": 2, "converged": 8}
    assert calls == [(2, 2), (8, 8)]


def test_adapters_and_their_base_are_trained_on_different_draws(monkeypatch):
    purposes = []

    def record(*args, **named):
        purposes.append(named.get("purpose"))
        return train(*args, **named)

    monkeypatch.setattr(experiment, "train", record)
    for _ in experiment.Setting("trajectories/c2", [1000], TINY).adapted():
        pass
    assert purposes == ["toy base draws", None, None]
