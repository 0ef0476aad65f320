"""What a claim's page shows of a counterexample: a picture of the energies of its arrays, and its clips of music."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from eisbach.barrier import barrier_weight, position_energy
from predictions.report import listening, svg
from predictions.report.inputs import FAULTS
from predictions.report.listening import Take
from predictions.report.pictures import Picture
from predictions.report.text import visible
from predictions.report.theme import CLASSES


@dataclass(frozen=True)
class Exhibit:
    """The picture of a counterexample's arrays and its clips. `picture` is None and `takes` empty where it has none."""

    picture: Picture | None
    takes: tuple[Take, ...]


def exhibit(searched: dict, results: Path, report: Path, name: str, missing: list[str]) -> Exhibit:
    """The exhibit of a verdict's `counterexample`, an entry of `predictions.counterexamples.archive`.

    The entry's `files` are relative to the folder `results`; clips are written into the folder `report`. `name`
    identifies the picture on its page. A file that cannot be read is left out, and `missing` gets a sentence about it.
    """
    files = searched.get("files", {})
    picture, takes = None, []
    if "arrays" in files:
        try:
            picture = energies(load_file(listening.inside(results, files["arrays"])), name)
        except FAULTS:
            missing.append(f"A counterexample's arrays ({files['arrays']}) cannot be read.")
    for kind in sorted(files):
        if kind.startswith("audio "):
            try:
                takes.append(
                    listening.take(kind.removeprefix("audio "), listening.inside(results, files[kind]), report)
                )
            except listening.UNREADABLE:
                missing.append(f"A counterexample's clip ({files[kind]}) cannot be read.")
    return Exhibit(picture, tuple(takes))


def energies(arrays: dict[str, np.ndarray], name: str) -> Picture:
    """Bars of the energy at every position, one panel per model output `[C, T]`, with its weight in the title."""
    outputs = {key: torch.from_numpy(array)[None] for key, array in arrays.items()}
    weights = {key: float(barrier_weight(output)) for key, output in outputs.items()}
    with svg.style():
        rows, columns = math.ceil(len(outputs) / 2), min(len(outputs), 2)
        figure, panels = svg.figure(rows, columns, height=2.3 * rows, sharey=True)
        panels = np.atleast_1d(panels).ravel()
        for axes in panels[len(outputs) :]:
            axes.set_visible(False)
        for axes, (key, output) in zip(panels, outputs.items(), strict=False):
            energy = position_energy(output)[0].numpy()
            positions = np.arange(1, len(energy) + 1)
            axes.bar(positions, energy, color=CLASSES["flat"])
            axes.set_title(f"{visible(key)}\nw = {weights[key]:.3f}", fontsize=8.5, loc="left")
            axes.set(xlabel="position", xticks=positions)
            axes.set_ylabel("energy")
        alt = "; ".join(f"{visible(key)}: weight {weight:.3f}" for key, weight in weights.items()) + "."
        caption = "The energy of each output by position, and the output's weight (Eq. 4)."
        return Picture(svg.inline(figure, name, alt), alt, caption)
