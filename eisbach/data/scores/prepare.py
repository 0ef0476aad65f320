"""The corpus of rendered scores: piece -> excerpt -> arrangement -> MIDI -> audio, each step seeded and cached.

Clip k of a split does not depend on the counts, and no piece is in two splits.
"""

from collections import Counter
from functools import partial
from pathlib import Path

from scipy.stats import spearmanr

from eisbach.data import clips, manifest, status
from eisbach.data.contrast import contrast_class
from eisbach.data.parallel import process_map
from eisbach.data.scores import arrange, captions, ensembles, midi, notes, pieces, render
from eisbach.errors import UserError
from eisbach.pipeline import tables
from eisbach.pipeline.params import Prepare
from eisbach.pipeline.progress import track
from eisbach.seeds import numpy_generator


def prepare_scores(settings: Prepare, target: Path, cache: Path) -> dict:
    """Write manifest.parquet, clips.tar, status.parquet and summary.json into `target` and return the summary.

    Raises UserError for an unknown split, a count below 1, a clip length outside 1 to 30 s, and a list of scores, a
    score or a soundfont that cannot be read.
    """
    _check(settings)
    font = render.soundfont(settings.corpus.soundfont)
    tasks = [(split, index) for split, count in settings.clips.items() for index in range(count)]
    names = list(dict.fromkeys(_piece(split, index, settings).name for split, index in tasks))
    list(track(process_map(partial(notes.load, cache=cache), names), "read scores", len(names)))
    make = partial(_clip, settings=settings, font=font, cache=cache)
    made = list(track(process_map(make, tasks), "render clips", len(tasks)))
    rows = [row for row, _ in made]
    manifest.write(rows, target / "manifest.parquet")
    clips.write(((row["clip_id"], path) for row, path in made), target / "clips.tar")
    clips_by_file = Counter(row["file"] for row in rows)
    status.write([status.SourceStatus(name, "ok", clips=count) for name, count in clips_by_file.items()], target)
    # The correlation of the contrast label with what can be measured on the audio.
    correlation = spearmanr([row["contrast"] for row in rows], [row["loudness_range_db"] for row in rows])
    summary = {**manifest.counts(rows), "spearman_contrast_loudness_range": float(correlation.statistic)}
    tables.write_metrics(target / "summary.json", summary)
    return summary


def _check(settings: Prepare) -> None:
    for split, count in settings.clips.items():
        pieces.ordered(split, settings.seed, Path(settings.corpus.path))
        if count < 1:
            raise UserError(f"'prepare.clips.{split}' is {count} in params.yaml; it must be at least 1")
    if not settings.clips:
        raise UserError("'prepare.clips' is empty in params.yaml; give a count for at least one split")
    if not 1 <= settings.clip_seconds <= 30:
        raise UserError(f"'prepare.clip_seconds' is {settings.clip_seconds} in params.yaml; it must be from 1 to 30")


def _piece(split: str, index: int, settings: Prepare) -> pieces.Piece:
    order = pieces.ordered(split, settings.seed, Path(settings.corpus.path))
    return order[index % len(order)]


def _clip(task: tuple[str, int], settings: Prepare, font: Path, cache: Path) -> tuple[dict, Path]:
    """The manifest row of clip (split, index), and the path of its FLAC in the cache."""
    split, index = task
    piece = _piece(split, index, settings)
    allowed = ensembles.base_ensembles() if split == "base" else ensembles.ENSEMBLES
    score = notes.load(piece.name, cache)
    arrangement = arrange.arrange(score, settings.clip_seconds, settings.seed, allowed, split, index)
    path, measured = render.clip(midi.to_midi(arrangement), settings.clip_seconds, font, cache)
    generator = numpy_generator(settings.seed, "caption", split, index)
    facts = captions.extract_facts(piece, arrangement, generator)
    row = {
        "clip_id": f"{split}-{index:05d}",
        "source": "scores",
        "piece": piece.work,
        "split": split,
        "caption": captions.caption(facts, generator),
        "aspect_list": captions.aspects(facts),
        "seconds": settings.clip_seconds,
        "licence": piece.licence,
        "contrast": arrangement.contrast,
        "contrast_class": contrast_class(arrangement.contrast),
        "contrast_source": "arrangement",
        "file": piece.name,
        "composer": piece.composer,
        "genre": piece.genre,
        "ensemble": arrangement.ensemble.name,
        "tempo_bpm": arrangement.tempo_bpm,
        "key": facts.key,
        "metre": arrangement.metre,
        "shape": arrangement.shape,
        "bar": arrangement.bar,
        "transposition": arrangement.transposition,
        **measured,
    }
    return row, path
