"""The cost of the gauge beside the barrier's, in CPU time.

Writes benchmarks/gauge.json and prints the table of docs/gauge.md: an update that is given the step's belief, an update
that computes it, and the barrier's factor, batch 4, float32. One thread; medians over rounds, each of which measures
all three in the same process, so a busy machine changes the times but hardly their ratios.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from eisbach.pipeline import command

if __name__ == "__main__":
    command.parser(__doc__).parse_args()  # before the imports that take seconds

import torch

from eisbach.barrier import barrier_factor, belief
from eisbach.gauge import Gauge
from eisbach.pipeline.files import replacing
from eisbach.seeds import torch_generator

BATCH = 4
SIZES = ((64, 108), (64, 1292), (256, 108), (256, 1292))
ROUNDS, CALLS = 21, 20
RESULT = Path(__file__).with_suffix(".json")


def cpu_milliseconds(call: Callable[[], object]) -> float:
    """Mean CPU time of one call."""
    start = time.process_time()
    for _ in range(CALLS):
        call()
    return 1e3 * (time.process_time() - start) / CALLS


def measure(channels: int, positions: int) -> dict:
    """Medians over rounds for outputs `[BATCH, channels, positions]` of unit noise."""
    output = torch.randn(BATCH, channels, positions, generator=torch_generator(0, "gauge", channels, positions))
    t, stats, gauge = torch.linspace(0.1, 0.9, BATCH), belief(output), Gauge()
    factor = barrier_factor(output, 0.5)
    calls = {
        "barrier": lambda: barrier_factor(output, 0.5),
        "given": lambda: gauge.update(None, None, t, factor, belief=stats),
        "computed": lambda: gauge.update(output, None, t, factor),
    }
    taken = [{name: cpu_milliseconds(call) for name, call in calls.items()} for _ in range(ROUNDS)]
    ratios = {name: statistics.median(one[name] / one["barrier"] for one in taken) for name in calls}
    return {
        "channels": channels,
        "positions": positions,
        "barrier_ms": statistics.median(one["barrier"] for one in taken),
        "belief_given_over_barrier": ratios["given"],
        "belief_computed_over_barrier": ratios["computed"],
    }


def table(rows: list[dict]) -> str:
    """A Markdown table with one line per size."""
    lines = [
        "| C | T | barrier, ms | gauge / barrier, belief given | gauge / barrier, belief computed |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row['channels']} | {row['positions']} | {row['barrier_ms']:.2f} "
            f"| {row['belief_given_over_barrier']:.2f} | {row['belief_computed_over_barrier']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    torch.set_num_threads(1)
    rows = [measure(*size) for size in SIZES]
    made_with = {"torch": torch.__version__, "python": platform.python_version(), "threads": 1, "batch": BATCH}
    with replacing(RESULT) as temporary:
        temporary.write_text(json.dumps({"made_with": made_with, "rows": rows}, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    command.run(main)
