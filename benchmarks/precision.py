"""The relative error of 1 - B, Eq. 3, by implementation and dtype.

Prints the table of docs/barrier.md. The reference is 160-digit arithmetic on the same float32 outputs, which are made
to have a chosen divergence K.
"""

import math

from eisbach.pipeline import command

if __name__ == "__main__":
    command.parser(__doc__).parse_args()  # before the imports that take seconds

import torch
from torch import Tensor

from eisbach.barrier import belief_gap
from eisbach.seeds import torch_generator
from golden.barrier import reference

DIVERGENCES = (5.0, 0.5, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12)
LENGTHS = (2, 108, 1292, 4096)


def output_of_divergence(divergence: float, positions: int, channels: int = 2, level: float = 1.0) -> Tensor:
    """A float32 output `[1, C, T]` with a divergence K of about `divergence` nats, which must be below log T.

    It is the constant `level` plus one pattern of noise, whose amplitude is found by bisection; the energies are about
    `level`^2 or higher.
    """
    pattern = torch.randn(1, channels, positions, generator=torch_generator(0, "precision"), dtype=torch.float64)
    low, high = 1e-12, 1e6
    for _ in range(60):
        middle = math.sqrt(low * high)
        gap = belief_gap(level + middle * pattern).item()
        low, high = (middle, high) if gap * math.log(positions) < divergence else (low, middle)
    return (level + high * pattern).float()


def naive_gap(output: Tensor) -> Tensor:
    """1 - B by Eq. 1-3 as printed, in the output's dtype: `[B, C, T]` -> `[B]`."""
    belief = output.square().mean(1).softmax(1)
    return 1 + (belief * belief.log()).nan_to_num().sum(1) / math.log(output.shape[2])  # 0 log 0 = 0


def relative_errors(output: Tensor) -> dict[str, float]:
    """Errors of 1 - B for `output` [1, C, T]: of `eisbach.barrier`, and of the printed formula in three dtypes."""
    exact = reference(output[0].numpy())["gap"]
    gaps = {
        "eisbach.barrier": belief_gap(output),
        "printed, float64": naive_gap(output.double()),
        "printed, float32": naive_gap(output),
        "printed, bfloat16": naive_gap(output.bfloat16()),
    }
    return {name: float(abs(gap.item() - exact) / exact) for name, gap in gaps.items()}


def worst(divergence: float, level: float) -> dict[str, float]:
    """The largest errors over those LENGTHS whose log T is large enough for this divergence."""
    possible = [length for length in LENGTHS if divergence < 0.9 * math.log(length)]
    errors = [
        relative_errors(output_of_divergence(divergence, length, channels=64, level=level)) for length in possible
    ]
    return {name: max(error[name] for error in errors) for name in errors[0]}


def main() -> None:
    rows = [(divergence, 1.0) for divergence in DIVERGENCES] + [(divergence, 100.0) for divergence in DIVERGENCES[1:4]]
    table = {row: worst(*row) for row in rows}
    names = list(next(iter(table.values())))
    print("| K, nats | energies about |", " | ".join(names), "|")
    print("| --- " * (2 + len(names)) + "|")
    for (divergence, level), errors in table.items():
        print(f"| {divergence:g} | {level**2:g} |", " | ".join(f"{errors[name]:.0e}" for name in names), "|")


if __name__ == "__main__":
    command.run(main)
