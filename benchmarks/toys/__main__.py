"""How much faster 64 models train as one tensor program than one after the other, and how far the two differ.

`python -m benchmarks.toys` from the project's root: both ways in one process on one thread, back to back, so that
their ratio does not hang on how busy the machine is. Times are CPU seconds. The loop trains the same models by the
same code, a stack of one each. `calls` is that loop with models as narrow as they go, on one channel, one
sample a batch: what calling costs where there is nothing to compute. The `rest` of the loop is arithmetic, which the
stack does as well: where it is more than a tenth of the loop, a ratio of ten asks for faster arithmetic, not for fewer
calls. The last column is the largest difference of any weight after the steps.
"""

import os
import sys
import time
from dataclasses import replace

from eisbach.arms import Arm
from toy_models import trajectories, units
from toy_models.arms import Stack
from toy_models.ensemble import beginning, train
from toy_models.regimes import REGIMES, Regime

SEEDS = list(range(1000, 1008))
ARMS = [Arm("baseline"), Arm("oracle", 0.5), *(Arm("barrier", lam) for lam in (0.3, 0.5, 0.7, 0.8, 0.9, 1.0))]
STEPS = 20


def trained(regime: Regime, arms: list[Arm], seeds: list[int]) -> tuple[dict, float]:
    """Weights after `STEPS` steps and the CPU seconds that they took, the first step left out."""
    stack = Stack(arms, seeds)
    weights = beginning(regime.network, seeds, len(arms))
    steps = train(regime.network, regime.law(), stack, weights, regime.recipes["adamw"], STEPS + 1)
    next(steps)
    start = time.process_time()
    for _ in steps:
        pass
    return weights, time.process_time() - start


def smallest(regime: Regime) -> Regime:
    """The regime with next to no arithmetic: one channel, width 1 (2 where heads halve it), batch 1."""
    narrow = 2 if hasattr(regime.network, "heads") else 1
    network = replace(regime.network, channels=1, width=narrow)
    law = regime.law if regime.network.channels == 1 else lambda: trajectories.curves(1)
    return replace(regime, law=law, network=network, recipes={"adamw": replace(regime.recipes["adamw"], batch=1)})


def main() -> None:
    if not units.MEMORY.items() <= os.environ.items():  # as the stage's units start
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.toys"], {**os.environ, **units.MEMORY})
    units.single_threaded()
    print("regime                     stack s   loop s   ratio  calls s   rest s   largest difference")
    for name in ("densities/eight_gaussians", "trajectories/c2", "trajectories/c32", "trajectories/dit"):
        regime = REGIMES[name]
        together, alone, calls, difference = 0.0, 0.0, 0.0, 0.0
        weights, together = trained(regime, ARMS, SEEDS)
        for row, arm in enumerate(ARMS):
            for column, seed in enumerate(SEEDS):
                single, seconds = trained(regime, [arm], [seed])
                alone += seconds
                calls += trained(smallest(regime), [arm], [seed])[1]
                for key, weight in single.items():
                    gap = (weight[0] - weights[key][row * len(SEEDS) + column]).abs().max().item()
                    difference = max(difference, gap)
        shares = f"{alone / together:7.1f} {calls:8.2f} {alone - calls:8.2f}"
        print(f"{name:26} {together:7.2f} {alone:8.2f} {shares}   {difference:.1e}", flush=True)


if __name__ == "__main__":
    main()
