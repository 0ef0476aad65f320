"""Counterexamples as files beside verdicts.json: arrays in safetensors, drawn as SVG, clips of music as FLAC."""

import io
from pathlib import Path

import matplotlib
from safetensors.torch import save_file

from eisbach.barrier import barrier_weight, position_energy
from eisbach.data import clips
from eisbach.files import replacing
from eisbach.pipeline import tables
from predictions.counterexamples import searches as counterexample
from predictions.counterexamples.searches import Counterexample

FOLDER = "counterexamples"


def collect(out: Path, census: Path, corpus: Path) -> dict[tuple[str, str], dict]:
    """Run every search; what was found lies in `out`/counterexamples. (search, regime) -> the verdicts' entry.

    An entry has `found`, `tried`, `description`, `numbers`, `files` (kind -> path relative to `out`), or a `reason` why
    it could not be searched. `census` and `corpus` are the pipeline's table of weights and its archive of clips.
    """
    found = {(name, regime): function() for (name, regime), function in counterexample.SEARCHES.items()}
    entries = {key: entry(result, out, "-".join(key)) for key, result in found.items()}
    on_music = ("flat_is_damped", "small")
    if not census.is_file():
        return entries | {on_music: {"found": False, "reason": f"{census} is missing; run `dvc repro census`"}}
    result = counterexample.flat_is_damped_on_clips(tables.read(census))
    return entries | {on_music: entry(result, out, "-".join(on_music), corpus)}


def entry(result: Counterexample, out: Path, name: str, corpus: Path | None = None) -> dict:
    """Write the files of one search and describe it."""
    files = {}
    if result.arrays:
        files["arrays"] = f"{FOLDER}/{name}.safetensors"
        with replacing(out / files["arrays"]) as temporary:
            arrays = {key: array.contiguous() for key, array in result.arrays.items()}
            save_file(arrays, temporary, metadata={"description": result.description})
        files["picture"] = f"{FOLDER}/{name}.svg"
        with replacing(out / files["picture"]) as temporary:
            temporary.write_text(picture(result))
    if result.clips and corpus is not None and corpus.is_file():
        files |= _audio(result.clips, out, name, corpus)
    return {
        "found": result.found,
        "tried": result.tried,
        "description": result.description,
        "numbers": result.numbers,
        "clips": result.clips,
        "files": files,
    }


def picture(result: Counterexample) -> str:
    """The energies of every array over its positions, side by side, as SVG text; titles carry the weights."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(1, len(result.arrays), figsize=(2.2 * len(result.arrays), 2.4), sharey=True)
    for axes, (name, array) in zip([grid] if len(result.arrays) == 1 else grid, result.arrays.items(), strict=True):
        energy = position_energy(array.unsqueeze(0))[0].tolist()
        axes.bar(range(len(energy)), energy, color="#0072B2")
        axes.set_title(f"{name}\nw = {float(barrier_weight(array.unsqueeze(0))):.3f}", fontsize=9)
        axes.set(xlabel="position", xticks=range(len(energy)))
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("energy")
    figure.tight_layout()
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "eisbach", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _audio(named: dict[str, str], out: Path, name: str, corpus: Path) -> dict[str, str]:
    """The named clips of the corpus, as they are; the corpus is read once, in its own order."""
    import soundfile

    files, wanted = {}, {clip_id: label for label, clip_id in named.items()}
    for clip_id, audio in clips.read(corpus):
        if clip_id in wanted:
            label = wanted[clip_id]
            files[f"audio {label}"] = f"{FOLDER}/{name}-{label}.flac"
            with replacing(out / files[f"audio {label}"]) as temporary:
                soundfile.write(temporary, audio.T, clips.SAMPLE_RATE, format="FLAC")
    return files
