"""Counterexamples to be seen and heard: the energies of arrays drawn, the clips of music as takes."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from eisbach.barrier import barrier_weight
from predictions.report import listening, svg
from predictions.report.inputs import FAULTS
from predictions.report.listening import Take
from predictions.report.pictures import Picture
from predictions.report.text import visible
from predictions.report.theme import CLASSES


@dataclass(frozen=True)
class Exhibit:
    """What there is to show of one counterexample; either may be missing."""

    picture: Picture | None
    takes: tuple[Take, ...]


def exhibit(searched: dict, results: Path, report: Path, name: str, missing: list[str]) -> Exhibit:
    """From a verdict's `counterexample`, whose `files` are relative to `results`; sounds are written into `report`."""
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
    """The energies of every model output `[C, T]` over its positions, with its weight."""
    weights = {key: float(barrier_weight(torch.from_numpy(array)[None])) for key, array in arrays.items()}
    with svg.style():
        rows, columns = math.ceil(len(arrays) / 2), min(len(arrays), 2)
        figure, panels = svg.figure(rows, columns, height=2.3 * rows, sharey=True)
        panels = np.atleast_1d(panels).ravel()
        for axes in panels[len(arrays) :]:
            axes.set_visible(False)
        for axes, (key, array) in zip(panels, arrays.items(), strict=False):
            energy = np.square(array).mean(0)
            axes.bar(np.arange(1, len(energy) + 1), energy, color=CLASSES["flat"])
            axes.set_title(f"{visible(key)}\nw = {weights[key]:.3f}", fontsize=8.5, loc="left")
            axes.set(xlabel="position", xticks=np.arange(1, len(energy) + 1))
            axes.set_ylabel("energy")
        alt = "; ".join(f"{visible(key)}: weight {weight:.3f}" for key, weight in weights.items()) + "."
        caption = "The energies of each output over its positions, and the weight of Eq. 4 that they get."
        return Picture(svg.inline(figure, name, alt), alt, caption)
