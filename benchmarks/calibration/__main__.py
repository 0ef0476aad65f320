"""`python -m benchmarks.calibration`: judge the judge; writes `benchmarks/calibration/results.json` in half an hour.

`--repeats N` simulates fewer experiments a cell. A finished cell is kept, and an interrupted run goes on behind it.
"""

import argparse
import itertools
import json
from pathlib import Path

from eisbach.command import run

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    from benchmarks.calibration import cells, labels, plant
    from eisbach.progress import track
    from eisbach.tables import write_metrics

    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description="Judge the judge.")
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--label-repeats", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()

    settings = {"repeats": arguments.repeats, "label_repeats": arguments.label_repeats}
    done = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    if done.get("settings") != settings:
        done = {"settings": settings, "cells": {}, "labels": {}}
    grid = list(itertools.product(cells.SEEDS, plant.SHAPES, cells.CORRELATIONS))
    for cell in track(grid, "cells", len(grid)):
        key = " ".join(map(str, cell))
        if key not in done["cells"]:
            rates = cells.cell_rates(cell, arguments.repeats)
            done["cells"][key] = {name: float(rate) for name, rate in rates.items()}
            write_metrics(arguments.out, done)
    grid = list(itertools.product(labels.PLANTED, plant.SHAPES))
    for planted, shape in track(grid, "labels", len(grid)):
        key = f"{planted}, {shape}"
        if key not in done["labels"]:
            done["labels"][key] = labels.right_share(planted, 24, shape, arguments.label_repeats)
            write_metrics(arguments.out, done)


if __name__ == "__main__":
    run(main)
