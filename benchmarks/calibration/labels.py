"""Whether the whole judge, gate included, gives an experiment with a planted effect the right pair of labels."""

from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.calibration import plant
from eisbach.seeds import numpy_generator
from predictions.judge.judge import Checkout, judge
from predictions.registry import load as registry
from predictions.registry.schema import Registry

# Effects in standard deviations of the baseline's seeds: barrier, shuffled, timestep; and the right pair of labels.
PLANTED = {
    "real": ((-1.2, -0.1, -0.1), ("supported", "supported")),
    "only by timestep": ((-1.2, -0.1, -1.2), ("supported", "refuted")),
    "only by schedule": ((-1.2, -1.2, -0.1), ("supported", "refuted")),
    "opposite": ((1.2, 0.1, 0.1), ("refuted", "not tested")),
    "nil": ((0.0, 0.0, 0.0), ("refuted", "not tested")),
}
ORACLE = -1.6
CORRELATION = 0.95
SEEDS = 24
HYPOTHESIS = "curriculum/relative-excess-risk"
METRIC = "relative_excess_risk/contrast"
REGIME, RUN = "trajectories/c32", "short"
NAMES = ("barrier@0.5", "shuffled@0.5", "timestep", "baseline", "constant", "oracle")
CHECKOUT = Checkout(clean=True, registry_committed=True, sealed=True)


def experiment(planted: str, n: int, shape: str, index: int) -> pd.DataFrame:
    """A table of outcomes of one regime, in which every arm has its planted effect; `index` numbers the experiment."""
    effects, _ = PLANTED[planted]
    rng = numpy_generator(index, "labels", planted, n, shape)
    values = plant.arms([*effects, 0.0, 0.0, ORACLE], n, CORRELATION, shape, 1, rng)[0]
    return plant.table({(name, METRIC): of_arm for name, of_arm in zip(NAMES, values, strict=True)}, REGIME, RUN)


def only(plan: Registry, hypothesis: str) -> Registry:
    """The registry with one hypothesis left, which makes a family of one."""
    claims = [replace(c, hypotheses=[h for h in c.hypotheses if h.id == hypothesis]) for c in plan.claims]
    return replace(plan, claims=[claim for claim in claims if claim.hypotheses])


def right(planted: str, n: int, shape: str, repeats: int) -> dict[str, float]:
    """`right`: the share of experiments with the right pair of labels for effect and mechanism."""
    plan, wanted = only(registry.load(), HYPOTHESIS), PLANTED[planted][1]
    hits = []
    for index in range(repeats):
        table = experiment(planted, n, shape, index).assign(table="simulated")
        found = judge(plan, table, CHECKOUT).verdicts[HYPOTHESIS]
        (verdict,) = [one for one in found if (one.regime, one.run) == (REGIME, RUN)]
        hits.append((verdict.label, verdict.mechanism and verdict.mechanism.label) == wanted)
    return {"right": float(np.mean(hits))}
