"""How much faster 64 models train as one tensor program than one after the other, and how far the two differ.

`python -m benchmarks.toys` from the project's root: both ways in one process on one thread, back to back, so that
their ratio does not hang on how busy the machine is. Times are CPU seconds. The loop trains the same models by the
same code, a stack of one each. The last column is the largest difference of any weight after the steps.
"""

import time

import torch

from toy_models.arms import Arm, Stack
from toy_models.ensemble import beginning, train
from toy_models.regimes import REGIMES

SEEDS = list(range(1000, 1008))
ARMS = [Arm("baseline"), Arm("oracle", 0.5), *(Arm("barrier", lam) for lam in (0.3, 0.5, 0.7, 0.8, 0.9, 1.0))]
STEPS = 20


def trained(name: str, arms: list[Arm], seeds: list[int]) -> tuple[dict, float]:
    """Weights after `STEPS` steps and the CPU seconds that they took, the first step left out."""
    regime = REGIMES[name]
    stack = Stack(arms, seeds)
    weights = beginning(regime.network, seeds, len(arms))
    steps = train(regime.network, regime.law(), stack, weights, regime.recipes["adamw"], STEPS + 1)
    next(steps)
    start = time.process_time()
    for _ in steps:
        pass
    return weights, time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    print("regime                     stack s   loop s   ratio   largest difference")
    for name in ("densities/eight_gaussians", "trajectories/c2", "trajectories/c32"):
        together, alone, difference = 0.0, 0.0, 0.0
        weights, together = trained(name, ARMS, SEEDS)
        for row, arm in enumerate(ARMS):
            for column, seed in enumerate(SEEDS):
                single, seconds = trained(name, [arm], [seed])
                alone += seconds
                for key, weight in single.items():
                    gap = (weight[0] - weights[key][row * len(SEEDS) + column]).abs().max().item()
                    difference = max(difference, gap)
        print(f"{name:26} {together:7.2f} {alone:8.2f} {alone / together:7.1f}   {difference:.1e}", flush=True)


if __name__ == "__main__":
    main()
