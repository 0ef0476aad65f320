"""docs/calibration.md, rendered from the results."""

import itertools
import math

HEAD = """# Calibration of the judge

How often the judge errs: look up the error rates, the coverage of its intervals and the power at its minimum
detectable effect for your number of seeds. Written by `python -m benchmarks.calibration`; do not edit.

Numbers are shares of simulated experiments whose truth is planted (`benchmarks/calibration/plant.py`). Arms are the sum
of a shared and an individual part, both normal, heavy-tailed (Student's t, 3 degrees of freedom) or skewed
(log-normal). A difference cancels the shared part, so the correlation matters only for the margin, which is in units of
one arm.

## The statistics

A family has four hypotheses; the margin is half a standard deviation of an arm.

| column | share of experiments in which | should be |
| --- | --- | --- |
| `effect` | any of four zero effects is significant | at most 0.05 |
| `equivalence` | any of four effects as large as the margin is called equivalent | at most 0.05 |
| `either` | any decision is wrong, where two effects are zero and two as large as the margin | at most 0.05 |
| `covers` | the 95 % interval of a difference contains its true mean | 0.95 |
| `BCa` | the same for the BCa bootstrap, which the judge does not use | 0.95 |
| `alone` | the interval of one arm's own mean contains it; sign flips cannot achieve this for skewed arms | 0.95 |

| seeds | shape | correlation | effect | equivalence | either | covers | BCa | alone | experiments |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
COLUMNS = ("false_effect", "false_equivalence", "false_either", "covered", "covered_bca", "covered_alone")
POWER = """
Monte Carlo error: two standard errors of 2,000 experiments are {rate} at 0.05 and 0.95, and {power} at 0.8.

## The minimum detectable effect

If the true effect is the minimum detectable effect that a first experiment reported, a second experiment should be
supported in 0.8 of the cases: `power`, with a margin and in a family; `single`, without either. The judge simulates
this effect from differences of log-normal arms, the shape that requires the largest effect, because a few seeds cannot
show how heavy the tails of their distribution are. So the power is right for `skewed` and larger for the others.
Simulated from normal values, as in the first version, the effect was too small: the power at it was 0.76 to 0.79 under
heavy tails, 0.72 to 0.76 under skew. `contaminated` (normal, one value in ten with five times the deviation) was not
used to choose the shape.

| seeds | shape | correlation | power | single | experiments |
| --- | --- | --- | --- | --- | --- |
"""
LABELS = """
## The labels

The whole judge, gate included, on 24 seeds at correlation 0.95, with an oracle of -1.6 standard deviations: the share
of experiments with the right pair of labels for effect and mechanism.

| planted | right pair | {shapes} | experiments each |
| --- | --- | {rules} | --- |
"""


def render(results: dict) -> str:
    """The page for the results that `__main__` writes; missing cells are left out."""
    from benchmarks.calibration.cells import CORRELATIONS, SEEDS
    from benchmarks.calibration.labels import PLANTED
    from benchmarks.calibration.plant import SHAPES, UNSEEN

    def rows(part: str, columns: tuple[str, ...], shapes: tuple[str, ...]) -> list[str]:
        lines = []
        for n, shape, correlation in itertools.product(SEEDS, shapes, sorted(CORRELATIONS)):
            if rates := results[part].get(f"{n} {shape} {correlation}"):
                numbers = [f"{rates[column]:.3f}" for column in columns]
                lines.append(_row(n, shape, correlation, *numbers, rates["experiments"]))
        return lines

    rate, power = (f"{2 * math.sqrt(share * (1 - share) / 2000):.3f}" for share in (0.05, 0.8))
    labels = []
    for planted, (_, pair) in PLANTED.items():
        found = [results["labels"].get(f"{planted}, {shape}") for shape in SHAPES]
        shares = ["" if one is None else f"{one['right']:.3f}" for one in found]
        experiments = min((one["experiments"] for one in found if one), default="")
        labels.append(_row(planted, ", ".join(pair), *shares, experiments))
    parts = [
        HEAD,
        *rows("cells", COLUMNS, SHAPES),
        POWER.format(rate=rate, power=power),
        *rows("power", ("power", "power_single"), (*SHAPES, UNSEEN)),
        LABELS.format(shapes=" | ".join(SHAPES), rules=" | ".join(["---"] * len(SHAPES))),
        *labels,
    ]
    return "\n".join(part.removesuffix("\n") for part in parts) + "\n"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
