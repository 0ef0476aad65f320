"""A small registry, and tables of outcomes with planted effects."""

import numpy as np
import pytest
import yaml

from benchmarks.calibration import plant
from predictions.judge.judge import Checkout
from predictions.registry import load as registry

PAGE = """
confirmatory: {first: 100, last: 111}
regimes:
  toy/*: {title: toys, adapter: full, runs: [short, converged], seeds: 12, gate: risk}
  real: {title: the real thing, adapter: dora, runs: [short], seeds: 6, gate: risk}
claims:
  - id: claim
    sentence: A sentence of the paper.
    place: somewhere
    hypotheses:
      - id: claim/risk
        statement: the barrier lowers the risk
        kind: difference
        metric: risk
        arms: [barrier@0.5]
        against: [baseline]
        direction: lower
        controls: [shuffled@0.5, timestep@0.5]
        family: primary
        regimes: [toy/*, real]
      - id: claim/weight
        statement: the weight is above one half
        kind: bound
        metric: weight
        arms: [baseline]
        direction: higher
        bound: 0.5
        family: primary
        ungated: weights are measured on a given model
        regimes: [toy/*]
        skip: {real: not measured there}
      - id: claim/both
        statement: all of it
        kind: all
        parts: [claim/risk, claim/weight]
        regimes: [toy/*]
        skip: {real: a part is missing}
"""
CLEAN = Checkout(clean=True, registry_committed=True, sealed=True)
EFFECTS = {
    "barrier@0.5": -1.2, "shuffled@0.5": -0.1, "timestep@0.5": -0.2, "baseline": 0.0, "constant@0.5": 0.0,
    "oracle@0.5": -1.6,
}  # fmt: skip


@pytest.fixture
def page():
    """The registry's YAML as a dictionary, for tests to change."""
    return yaml.safe_load(PAGE)


@pytest.fixture
def load_page(tmp_path):
    """A function that writes a page to tmp_path/registry.yaml and loads it as a registry."""

    def load(changed):
        path = tmp_path / "registry.yaml"
        path.write_text(yaml.safe_dump(changed, sort_keys=False))
        return registry.load(path)

    return load


@pytest.fixture
def plan(page, load_page):
    return load_page(page)


def planted(n=12, correlation=0.95, regime="toy/one", adapter="full", run="short", seed=0, first=0, **effects):
    """Outcomes of n seeds: `risk` of every arm, shifted by `EFFECTS` or as given, and a baseline `weight` near 0.7.

    `effects` are named by the arm's name; `first` is the first seed's number.
    """
    rng = np.random.default_rng(seed)
    named = EFFECTS | {next(arm for arm in EFFECTS if arm.startswith(name)): effect for name, effect in effects.items()}
    values = plant.arms(list(named.values()), n, correlation, "normal", 1, rng)[0]
    rows = {(arm, "risk"): of_arm for arm, of_arm in zip(named, values, strict=True)}
    rows["baseline", "weight"] = 0.7 + 0.02 * rng.standard_normal(n)
    table = plant.table(rows, regime, run, adapter).assign(table="planted.parquet")
    return table.assign(seed=table["seed"] + first)
