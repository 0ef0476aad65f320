"""The stage as a user runs it: the contract of its tables, the same bytes, and going on where it was killed."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from eisbach.errors import UserError
from tests.settings import PARAMS, text
from toy_models import adapters, experiment, ideal, outcomes, units
from toy_models.arms import Arm, Stack
from toy_models.ensemble import Recipe, train
from toy_models.regimes import REGIMES, check

ROOT = Path(__file__).parents[2]
KEYS = ["regime", "arm", "lam", "adapter", "optimizer", "run", "seed", "metric"]
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


@pytest.fixture(scope="session")
def tables():
    parts = [ideal.analytic(TINY.seeds, TINY)]
    parts += [experiment.run(name, TINY.seeds, TINY) for name in TINY.regimes[1:]]
    return {
        table: pd.concat([part[table] for part in parts if table in part], ignore_index=True)
        for table in ("outcomes", "curves", "weights", "draws")
    }


def test_outcomes_keep_the_contract(tables):
    outcomes = tables["outcomes"]
    assert list(outcomes.columns) == [*KEYS, "value"]
    assert not outcomes.duplicated(KEYS).any()
    assert outcomes["value"].notna().all()
    assert outcomes["seed"].dtype == "int64"
    assert outcomes["value"].dtype == outcomes["lam"].dtype == "float64"
    assert set(outcomes["run"]) == {"short", "converged"}
    full = outcomes[(outcomes["adapter"] == "full") & ~outcomes["regime"].isin(["analytic", "trajectories/dit"])]
    assert set(full["arm"]) == set(TINY.arms)
    assert set(full.loc[full["optimizer"] == "sgd", "arm"]) == set(TINY.sgd_arms)
    every = outcomes[outcomes["regime"].str.startswith("trajectories/")]
    every = every.groupby([*KEYS[:6]], dropna=False)["metric"].nunique()
    assert every.nunique() == 1  # every arm has every metric
    for regime in ("trajectories/c2", "trajectories/dit"):
        assert set(outcomes.loc[outcomes["regime"] == regime, "adapter"]) == {"full", *adapters.KINDS}


def test_the_transformer_has_what_the_gate_and_the_adapters_claim_ask_for(tables):
    outcomes = tables["outcomes"]
    found = outcomes[outcomes["regime"] == "trajectories/dit"].groupby("adapter")["arm"].unique().map(set).to_dict()
    adapted = {"baseline", "barrier"}
    assert found == {"full": {*adapted, "constant", "oracle"}, "lora": adapted, "dora": adapted}
    asked = outcomes[(outcomes["regime"] == "trajectories/dit") & (outcomes["metric"] == "pca_area")]
    assert set(asked.loc[asked["arm"] == "barrier", "lam"]) == {TINY.lam}
    assert (asked["value"] > 0).all()


def test_the_contracts_metrics_exist(tables):
    named = set(tables["outcomes"]["metric"])
    assert named >= {
        *("heldout_loss", "heldout_loss/flat", "heldout_loss/contrast", "excess_risk", "excess_risk/flat"),
        *("excess_risk/contrast", "relative_excess_risk/contrast", "class_mass/contrast", "modes", "location_entropy"),
        *("vendi", "sliced_wasserstein", "dynamic_range_db", "pca_area", "participation_ratio"),
        *("structure_consistency", "detail_diversity", "w/t<0.2", "w/t>0.8", "w_spearman_t", "w_ratio/contrast_flat"),
        *("w_ratio_min_bin/contrast_flat", "weight_cv", "effective_sample_share", "entropy_loss_rho/t<0.2"),
        *("entropy_loss_rho/t>0.8", "gradient_cosine/sample", "gradient_cosine/batch"),
    }


def test_excess_risk_is_the_part_of_the_loss_that_is_not_bayes(tables):
    curves = tables["curves"]
    assert (curves["excess_risk"] > 0).all()
    assert (curves["loss"] > curves["excess_risk"]).all()


def test_a_diverged_seed_leaves_every_arm_and_is_named(monkeypatch):
    regime = REGIMES["densities/two_moons"]
    wild = {**regime.recipes, "sgd": Recipe("sgd", 1e30, batch=8)}
    monkeypatch.setitem(REGIMES, "densities/two_moons", replace(regime, recipes=wild))
    found = experiment.run(
        "densities/two_moons", [1000], replace(TINY, arms=["baseline", "barrier", "constant"], length=0.01)
    )
    outcomes_ = found["outcomes"].set_index("optimizer")
    assert set(outcomes_.loc["sgd", "metric"]) == {"diverged"}
    assert (outcomes_.loc["sgd", "value"] == 1).all()
    assert outcomes_.loc["adamw", "metric"].nunique() > 30
    assert set(found["curves"]["optimizer"]) == set(found["weights"]["optimizer"]) == {"adamw"}
    sentences = outcomes.divergences(found["outcomes"])
    assert len(sentences) == 6
    assert sentences[0].startswith("densities/two_moons, sgd, full, short: arm 'baseline', seed 1000, diverged; ")
    assert "arm 'barrier' at lambda 0.5, seed 1000" in sentences[1]


def test_one_diverged_arm_takes_its_seed_from_all_and_no_other():
    key = {"regime": "r", "optimizer": "sgd", "adapter": "full", "run": "short", "lam": 0.5}
    rows = [
        {
            **key,
            "arm": arm,
            "seed": seed,
            "metric": metric,
            "value": float(metric == "diverged" and (arm, seed) == lost),
        }
        for lost in [("barrier", 1)]
        for arm in ("baseline", "barrier")
        for seed in (0, 1)
        for metric in ("heldout_loss", "diverged")
    ]
    rows[-1]["value"] = 1.0  # the barrier of seed 1
    table = pd.DataFrame(rows)
    other = table.assign(optimizer="adamw", value=0.0)
    tables = {"outcomes": pd.concat([table, other]), "curves": table.drop(columns="metric"), "draws": pd.DataFrame()}
    kept = outcomes.without_diverged(tables)
    assert len(kept["outcomes"]) == 14  # 16 without the two losses of seed 1 under sgd
    assert set(kept["curves"]["seed"]) == {0}
    assert kept["draws"].empty


def test_a_units_name_knows_its_settings_and_not_its_neighbours():
    name = units.digest("trajectories/c2", [1000], TINY)
    assert name == units.digest("trajectories/c2", [1000], replace(TINY, seeds=[1, 2], block=1, regimes=["analytic"]))
    assert name != units.digest("trajectories/c2", [1000], replace(TINY, lam=0.7))
    assert name != units.digest("trajectories/c2", [1001], TINY)
    assert name != units.digest("trajectories/c32", [1000], TINY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"regimes": ["densities/none"]}, "toys.regimes in params.yaml has unknown densities/none; choose from"),
        ({"arms": ["baseline", "barier"]}, "toys.arms in params.yaml has unknown barier; choose from"),
        ({"arms": ["baseline", "constant"], "sgd_arms": []}, "toys.arms has constant but no barrier to follow"),
        ({"lams": [0.3], "swept": ["barrier"]}, "0.5 is not among toys.lams"),
        ({"seeds": []}, "toys.seeds in params.yaml is empty or names one twice"),
        ({"seeds": [1, 1]}, "toys.seeds in params.yaml is empty or names one twice"),
        ({"regimes": []}, "toys.regimes in params.yaml is empty"),
        ({"sgd_arms": ["baseline", "barier"]}, "toys.sgd_arms in params.yaml has unknown barier"),
        ({"sgd_arms": ["constant"]}, "toys.sgd_arms has constant but no barrier to follow"),
        ({"arms": ["edm2"], "sgd_arms": ["edm2"]}, "toys.sgd_arms in params.yaml has unknown edm2"),
        ({"swept": ["bary"]}, "toys.swept in params.yaml has unknown bary"),
        ({"swept": ["constant"]}, "toys.swept has followers of the barrier but not barrier"),
        ({"block": 0}, "toys.block is 0"),
        ({"heldout": 1}, "toys.heldout is 1"),
        ({"samples": 1}, "toys.samples is 1"),
        ({"length": 0.0}, "toys.length is 0.0"),
    ],
)
def test_settings_that_cannot_run_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        check(replace(TINY, **change))


def stage(folder, **changes):
    started = begin(folder, **changes)
    output, errors = started.communicate()
    return subprocess.CompletedProcess(started.args, started.returncode, output, errors)


def begin(folder, **changes):
    settings = {**vars(TINY), "regimes": ["densities/two_moons"], "arms": ["baseline", "barrier"], "sgd_arms": []}
    (folder / "params.yaml").write_text(text(toys={**settings, **changes}))
    return subprocess.Popen(
        [sys.executable, "-m", "toy_models"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def prints(folder):
    files = sorted((folder / "artifacts" / "toys").glob("*.parquet"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_a_units_name_knows_all_code_of_ours_that_the_stage_runs():
    deps = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["toys"]["deps"]
    assert {f"eisbach/{name}" for name in units.CODE} == {path for path in deps if path.startswith("eisbach/")}


def test_followers_of_a_short_run_know_its_steps_alone(monkeypatch):
    seen, follow = [], Stack.follow

    def watched(stack, factors, t):
        seen.append((len(factors[0.5]), len(t)))
        follow(stack, factors, t)

    monkeypatch.setattr(Stack, "follow", watched)
    setting = experiment.Setting("densities/two_moons", [1000], TINY)
    setting._trained = lambda network, weights, stack, recipe, kind, watch, lost=None, runs=None: [
        watch(step) for step in train(network, setting.law, stack, weights, recipe, 8)
    ]
    list(setting.passes("adamw", [Arm("barrier", 0.5), Arm("timestep", 0.5)]))
    assert setting.lengths == {"short": 2, "converged": 8}
    assert seen == [(2, 2), (8, 8)]


def test_an_adapters_draws_are_not_its_bases(monkeypatch):
    purposes = []

    def watched(*given, **named):
        purposes.append(named.get("purpose"))
        return train(*given, **named)

    monkeypatch.setattr(experiment, "train", watched)
    for _ in experiment.Setting("trajectories/c2", [1000], TINY).adapted():
        pass
    assert purposes == ["toy base draws", None, None]


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["analytic", "trajectories/c2"])
def test_a_table_without_rows_has_its_columns(tmp_path, regime):
    ran = stage(tmp_path, regimes=[regime], seeds=[1000])
    assert ran.returncode == 0, ran.stderr
    for table, columns in outcomes.TABLES.items():
        assert set(pd.read_parquet(tmp_path / f"artifacts/toys/{table}.parquet").columns) == set(columns)


@pytest.mark.slow
def test_the_stage_writes_the_same_bytes_whether_killed_or_not(tmp_path):
    """Killed with all its workers once a unit of four was done, against a run in one go."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    settings = {"seeds": [1000, 1001, 1002, 1003], "block": 1, "length": 0.05}
    assert stage(whole, **settings).returncode == 0
    cache = broken / ".cache" / "toys"

    def finished():
        return [path for path in cache.glob("*/outcomes.parquet") if not path.parent.name.startswith(".")]

    killed = begin(broken, **settings)
    while not finished():
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (broken / "artifacts").exists()
    done = {path: path.stat().st_mtime_ns for path in finished()}
    assert 0 < len(done) < 4
    again = begin(broken, **settings)
    while again.poll() is None:  # the unit that was done is not done again, as long as it is there
        for path, written in done.items():
            if path.exists():
                assert path.stat().st_mtime_ns == written
        time.sleep(0.05)
    assert again.wait() == 0
    assert len(prints(whole)) == 4
    assert prints(whole) == prints(broken)
    assert not cache.exists()
