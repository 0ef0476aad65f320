"""Compare training 64 models as one tensor program with training them one after the other.

Both run in one process on one thread, back to back, so that their ratio depends little on the load of the machine.
Times are CPU seconds of 20 steps. The columns: `stack`, all models in one program; `loop`, the same models by the same
code, a stack of one each; `calls`, the loop with the smallest networks, one channel and a batch of one: the cost of the
calls alone; `rest`, loop minus calls: the loop's arithmetic. The stack has to do that arithmetic too: where it is more
than a tenth of the loop, a ratio of ten would need faster arithmetic, not fewer calls. `largest difference` is that of
any weight after the steps.
"""

import os
import sys
import time
from dataclasses import replace

from eisbach.arms import Arm
from eisbach.pipeline import command
from toy_models import trajectories, units
from toy_models.arms import Stack
from toy_models.ensemble import init, train
from toy_models.regimes import REGIMES, Regime

SEEDS = list(range(1000, 1008))
ARMS = [Arm("baseline"), Arm("oracle", 0.5), *(Arm("barrier", lam) for lam in (0.3, 0.5, 0.7, 0.8, 0.9, 1.0))]
STEPS = 20


def trained(regime: Regime, arms: list[Arm], seeds: list[int]) -> tuple[dict, float]:
    """Weights after `STEPS` + 1 steps, and the CPU seconds of all steps but the first."""
    stack = Stack(arms, seeds)
    weights = init(regime.network, seeds, len(arms))
    steps = train(regime.network, regime.distribution(), stack, weights, regime.recipes["adamw"], STEPS + 1)
    next(steps)
    start = time.process_time()
    for _ in steps:
        pass
    return weights, time.process_time() - start


def smallest(regime: Regime) -> Regime:
    """The regime with almost no arithmetic: one channel, batch 1, width 1, or 2 where the network has heads."""
    narrow = 2 if hasattr(regime.network, "heads") else 1
    network = replace(regime.network, channels=1, width=narrow)
    one_channel = regime.distribution if regime.network.channels == 1 else lambda: trajectories.curves(1)
    recipes = {"adamw": replace(regime.recipes["adamw"], batch=1)}
    return replace(regime, distribution=one_channel, network=network, recipes=recipes)


def main() -> None:
    command.parser(__doc__).parse_args()
    if not units.MEMORY.items() <= os.environ.items():  # start again with the memory settings of the stage's units
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.toys"], {**os.environ, **units.MEMORY})
    units.single_threaded()
    print("regime                     stack s   loop s   ratio  calls s   rest s   largest difference")
    for name in ("densities/eight_gaussians", "trajectories/c2", "trajectories/c32", "trajectories/dit"):
        regime = REGIMES[name]
        alone, calls, difference = 0.0, 0.0, 0.0
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
