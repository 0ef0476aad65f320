"""Runs every search and stores what it found next to verdicts.json: arrays in safetensors, clips of music in FLAC."""

from pathlib import Path

from safetensors.torch import save_file

from eisbach.data import clips
from eisbach.pipeline import tables
from eisbach.pipeline.files import replacing
from predictions.counterexamples import searches
from predictions.counterexamples.searches import Counterexample

FOLDER = "counterexamples"
ON_CLIPS = ("flat_is_damped", "small")  # the one search that needs the pipeline's tables


def collect(out: Path, census: Path, corpus: Path) -> dict[tuple[str, str], dict]:
    """Run every search and write the files of its result into `out`/counterexamples.

    `census` and `corpus` are the pipeline's table of weights and its archive of clips. Returns (search, regime) ->
    the dictionary of `entry`, or one with `found` false and a `reason` where a search's input is missing.
    """
    results = {key: function() for key, function in searches.SEARCHES.items()}
    entries = {key: entry(result, out, "-".join(key)) for key, result in results.items()}
    if not census.is_file():
        return entries | {ON_CLIPS: {"found": False, "reason": f"{census} is missing; run `dvc repro census`"}}
    result = searches.flat_is_damped_on_clips(tables.read(census))
    return entries | {ON_CLIPS: entry(result, out, "-".join(ON_CLIPS), corpus)}


def entry(result: Counterexample, out: Path, name: str, corpus: Path | None = None) -> dict:
    """Write the files of one search, named after `name`, and return its entry for the verdict.

    The entry has `found`, `tried`, `description`, `numbers`, `clips` and `files`: kind of file -> path relative to
    `out`. Kinds are "arrays" and, for each named clip, "audio <name>".
    """
    files = {}
    if result.arrays:
        files["arrays"] = f"{FOLDER}/{name}.safetensors"
        with replacing(out / files["arrays"]) as temporary:
            arrays = {key: array.contiguous() for key, array in result.arrays.items()}
            save_file(arrays, temporary, metadata={"description": result.description})
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


def _audio(named: dict[str, str], out: Path, name: str, corpus: Path) -> dict[str, str]:
    """Copy the clips of `named` (label -> clip_id) from the corpus into FLAC files; the corpus is read once."""
    import soundfile

    files, labels = {}, {clip_id: label for label, clip_id in named.items()}
    for clip_id, audio in clips.read(corpus):
        if clip_id in labels:
            label = labels[clip_id]
            files[f"audio {label}"] = f"{FOLDER}/{name}-{label}.flac"
            with replacing(out / files[f"audio {label}"]) as temporary:
                soundfile.write(temporary, audio.T, clips.SAMPLE_RATE, format="FLAC")
    return files
