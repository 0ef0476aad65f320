"""Whether the whole judge gives a planted world its word and mechanism: gate, family, margin and controls included."""

from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.calibration import plant
from eisbach.seeds import numpy_generator
from predictions.judge.judge import judge
from predictions.judge.verdict import Verdict
from predictions.registry import load as registry
from predictions.registry.schema import Margin, Registry

SYSTEM, ATOM, METRIC = "small", "curriculum/follows-label", "loss_slope/label"
SEEDS = 24
MARGIN = 0.01
SPREAD = 0.5  # paired deviation, in margins
CONTROL = 4.0  # effect of a full curriculum, in margins
# Effects of barrier, shuffled, timestep and trace in margins, positive in the claim's direction; of the curriculum;
# and the word and the mechanism that are right.
WORLDS = {
    "real": ((2, 0, 0, 0), CONTROL, ("holds", "sample-specific", None)),
    "only timestep": ((2, 0, 2, 0), CONTROL, ("holds", "explained by", "timestep@0.5")),
    "only schedule": ((2, 2, 0, 0), CONTROL, ("holds", "explained by", "shuffled@0.5")),
    "opposite": ((-2, 0, 0, 0), CONTROL, ("opposite", None, None)),
    "nil": ((0, 0, 0, 0), CONTROL, ("absent", None, None)),
    "present, below d": ((0.5, 0, 0, 0), CONTROL, ("present", "sample-specific", None)),
    "insensitive assay": ((0, 0, 0, 0), 0.0, ("insensitive", None, None)),
}
ARMS = ("barrier@0.5", "shuffled@0.5", "timestep@0.5", "trace@0.5")


def plan() -> Registry:
    """The registry, whole families included, with `MARGIN` as the atom's frozen margin."""
    frozen = Margin(
        margin=MARGIN, acts="along", control=CONTROL * MARGIN, error=0.0, p=0.0, reach=None, because="planted"
    )
    return replace(registry.load(), margins={ATOM: {SYSTEM: frozen}})


def experiment(world: str, n: int, shape: str, index: int, *, constant: float = 0.0, trained: float = 0.1):
    """A table of outcomes of one world; `index` numbers the experiment.

    `constant` is what the arm of that name adds to the log loss, and `trained` what training takes from it.
    """
    effects, control, _ = WORLDS[world]
    rng = numpy_generator(index, "worlds", world, n, shape)
    planted = dict(zip(ARMS, effects, strict=True)) | {"baseline": 0, "class": control, "class_reversed": -control}
    values = plant.noise(shape, (len(planted), n), rng) * SPREAD / np.sqrt(2) - np.array([*planted.values()])[:, None]
    rows = {(arm, METRIC): MARGIN * of_seeds for arm, of_seeds in zip(planted, values, strict=True)}
    losses = {"baseline": -trained, "constant@0.5": constant - trained, "base:none": 0.0}
    for arm, shift in losses.items():
        rows[arm, "heldout_loss"] = np.exp(shift + 1e-4 * rng.standard_normal(n))
    return plant.table(rows, SYSTEM, adapter="dora").assign(table="planted.parquet")


def judged(plan: Registry, table: pd.DataFrame) -> Verdict:
    (found,) = [one for one in judge(plan, table).verdicts[ATOM] if one.system == SYSTEM]
    return found


def rates(world: str, shape: str, repeats: int) -> dict[str, float]:
    """The share of experiments with the right word, and with the right word and mechanism."""
    one, wanted = plan(), WORLDS[world][2]
    found = [judged(one, experiment(world, SEEDS, shape, index)) for index in range(repeats)]
    whole = [(v.word, v.mechanism and v.mechanism.label, v.mechanism and v.mechanism.by) for v in found]
    return {
        "word": float(np.mean([one[0] == wanted[0] for one in whole])),
        "right": float(np.mean([one == wanted for one in whole])),
    }
