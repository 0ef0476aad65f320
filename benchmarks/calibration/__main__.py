"""`python -m benchmarks.calibration`: measure how often the judge errs on simulated experiments whose truth is known.

Writes `benchmarks/calibration/results.json` after every cell, so that an interrupted run continues where it stopped,
and at the end docs/calibration.md. A cell that has as many experiments as asked for is not simulated again.
"""

import argparse
import itertools
import json
from functools import partial
from pathlib import Path

from eisbach.pipeline.command import run

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path("docs/calibration.md")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=2000, help="experiments per cell of the statistics")
    parser.add_argument("--labels", type=int, default=200, help="experiments per planted effect and shape")
    parser.add_argument("--out", type=Path, default=RESULTS, help="results to continue and to write")
    arguments = parser.parse_args()

    from benchmarks.calibration import cells, labels, page, plant
    from eisbach.pipeline.files import replacing
    from eisbach.pipeline.progress import track
    from eisbach.pipeline.tables import write_metrics

    done = {"cells": {}, "power": {}, "labels": {}}
    if arguments.out.is_file():
        done |= json.loads(arguments.out.read_text())

    def finish(part: str, key: str, experiments: int, simulate) -> None:
        if done[part].get(key, {}).get("experiments", 0) < experiments:
            rates = {name: float(rate) for name, rate in simulate(experiments).items()}
            done[part][key] = {**rates, "experiments": experiments}
            write_metrics(arguments.out, done)

    for part, shapes, simulate in (
        ("power", [*plant.SHAPES, plant.UNSEEN], cells.power),
        ("cells", plant.SHAPES, cells.cell_rates),
    ):
        grid = list(itertools.product(cells.CORRELATIONS, cells.SEEDS, shapes))
        for correlation, n, shape in track(grid, part, len(grid)):
            cell = (n, shape, correlation)
            finish(part, " ".join(map(str, cell)), arguments.repeats, partial(simulate, cell))
    grid = list(itertools.product(plant.SHAPES, labels.PLANTED))
    for shape, planted in track(grid, "labels", len(grid)):
        finish("labels", f"{planted}, {shape}", arguments.labels, partial(labels.right, planted, labels.SEEDS, shape))
    with replacing(PAGE) as temporary:
        temporary.write_text(page.render(done))


if __name__ == "__main__":
    run(main)
