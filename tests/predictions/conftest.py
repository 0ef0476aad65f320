"""A small registry, and tables of outcomes with planted effects."""

import numpy as np
import pytest
import yaml

from benchmarks.calibration import plant
from eisbach.pipeline import yaml_file
from predictions.judge.judge import judge
from predictions.registry import load as registry

PAGE = """
rules: {level: 0.05, control_level: 0.01, most_atoms: 12, fewest_seeds: 6, resamples: 1000, lost_seed: dropped,
        failed_gate: insensitive, crash: resumed}
confirmatory: {first: 100, last: 111}
freezing: {first: 1100, last: 1111}
systems:
  toy: {title: toys, column: toys, members: [toy/*], adapter: full, run: short, seeds: 12,
        constant: {metric: loss, tolerance: 0.05, because: small}}
  real: {title: the real thing, column: real, members: [real], adapter: dora, run: short, seeds: 12, sound: true,
         trained: loss, constant: {metric: loss, tolerance: 0.05, because: small}}
controls:
  curriculum: {title: a full curriculum, plus: [class], minus: [class_reversed], half: true}
claims:
  - id: claim
    sentence: The barrier lowers the risk and keeps the weight.
    place: somewhere
    atoms:
      - id: claim/risk
        part: lowers the risk
        label: lowers the risk
        statement: the barrier lowers the risk
        kind: difference
        direction: lower
        mechanism: [shuffled@0.5, timestep@0.5]
        on:
          toy: &risk {metric: risk, control: curriculum, margin: 1.0, margin_because: given}
          real: *risk
      - id: claim/weight
        part: keeps the weight
        label: w reaches 0.5
        statement: the weight is above one half
        kind: bound
        direction: higher
        bound: 0.5
        on: {toy: {metric: weight}}
        not_on: {real: not measured there}
"""
EFFECTS = {
    "barrier@0.5": -2.0, "shuffled@0.5": 0.0, "timestep@0.5": 0.0, "baseline": 0.0, "class": -4.0,
    "class_reversed": 4.0,
}  # fmt: skip


@pytest.fixture
def page():
    """The registry's YAML as a dictionary, for tests to change."""
    return yaml_file.parse(PAGE, "the page")


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


def planted(n=12, regime="toy/one", seed=0, first=0, spread=0.5, constant=0.0, trained=0.1, **effects):
    """Outcomes of n seeds: `risk` of every arm, shifted by `EFFECTS` or as given, a `weight` near 0.7, and `loss`.

    `effects` are named by the arm's name, `first` is the first seed's number, `spread` the paired deviation.
    `constant` is what that arm adds to the log loss, `trained` what training takes from it.
    """
    rng = np.random.default_rng(seed)
    named = EFFECTS | {next(arm for arm in EFFECTS if arm.split("@")[0] == name): of for name, of in effects.items()}
    rows = {(arm, "risk"): 50 + of + spread / 2**0.5 * rng.standard_normal(n) for arm, of in named.items()}
    rows["baseline", "weight"] = 0.7 + 0.02 * rng.standard_normal(n)
    for arm, shift in {"baseline": -trained, "constant@0.5": constant - trained, "base:none": 0.0}.items():
        rows[arm, "loss"] = np.exp(shift + 1e-4 * rng.standard_normal(n))
    adapter = "dora" if regime == "real" else "full"
    return plant.table(rows, regime, adapter=adapter, first=first).assign(table="planted.parquet")


def judged(plan, table, atom="claim/risk", system="toy", **more):
    """The verdict of one atom on one system."""
    (found,) = [one for one in judge(plan, table, **more).verdicts[atom] if one.system == system]
    return found
