"""The corpus of rendered scores: piece -> excerpt -> arrangement -> MIDI -> sound, every step seeded and cached.

Clip k of a split is the same clip whatever the counts are, and no piece is in two splits.
"""

from collections import Counter
from functools import partial
from pathlib import Path

from scipy.stats import spearmanr

from eisbach.data import clips, manifest, status
from eisbach.data.contrast import contrast_class
from eisbach.data.parallel import parallel
from eisbach.data.scores import arrange, captions, ensembles, midi, notes, pieces, render
from eisbach.errors import UserError
from eisbach.pipeline import tables
from eisbach.pipeline.params import Prepare
from eisbach.pipeline.progress import track
from eisbach.seeds import numpy_generator


def prepare(settings: Prepare, folder: Path, cache: Path) -> dict:
    """Write manifest.parquet, clips.tar, status.parquet and summary.json into `folder`; return the summary.

    Raises UserError for an unknown split, a count below 1, a length without music or a soundfont that cannot be read.
    """
    _check(settings)
    font = render.soundfont(settings.corpus.soundfont)
    wanted = [(split, place) for split, count in settings.clips.items() for place in range(count)]
    needed = list(dict.fromkeys(_piece(split, place, settings).name for split, place in wanted))
    list(track(parallel(partial(notes.load, cache=cache), needed), "read scores", len(needed)))
    make = partial(_clip, settings=settings, font=font, cache=cache)
    made = list(track(parallel(make, wanted), "render clips", len(wanted)))
    rows = [row for row, _ in made]
    manifest.write(rows, folder / "manifest.parquet")
    clips.write(((row["clip_id"], path) for row, path in made), folder / "clips.tar")
    made_of = Counter(row["file"] for row in rows)
    status.write([status.Outcome(name, "ok", clips=count) for name, count in made_of.items()], folder)
    found = summary(rows)
    tables.write_metrics(folder / "summary.json", found)
    return found


def summary(rows: list[dict]) -> dict:
    """Counts, and how well the label of contrast is heard: Spearman's correlation with the measured loudness range."""
    heard = spearmanr([row["contrast"] for row in rows], [row["loudness_range_db"] for row in rows])
    return {
        "clips": len(rows),
        "pieces": len({row["piece"] for row in rows}),
        "clips_by_split": dict(Counter(row["split"] for row in rows)),
        "clips_by_class": dict(Counter(row["contrast_class"] for row in rows)),
        "spearman_contrast_loudness_range": float(heard.statistic),
    }


def _check(settings: Prepare) -> None:
    for split, count in settings.clips.items():
        pieces.ordered(split, settings.seed, Path(settings.corpus.path))
        if count < 1:
            raise UserError(f"'prepare.clips.{split}' is {count} in params.yaml; it must be at least 1")
    if not settings.clips:
        raise UserError("'prepare.clips' is empty in params.yaml; give a count for at least one split")
    if not 1 <= settings.clip_seconds <= 30:
        raise UserError(f"'prepare.clip_seconds' is {settings.clip_seconds} in params.yaml; it must be from 1 to 30")


def _piece(split: str, place: int, settings: Prepare) -> pieces.Piece:
    order = pieces.ordered(split, settings.seed, Path(settings.corpus.path))
    return order[place % len(order)]


def _clip(task: tuple[str, int], settings: Prepare, font: Path, cache: Path) -> tuple[dict, Path]:
    """The manifest row of clip (split, place), and where its FLAC lies in the cache."""
    split, place = task
    piece = _piece(split, place, settings)
    players = ensembles.familiar() if split == "base" else ensembles.ENSEMBLES
    score = notes.load(piece.name, cache)
    arranged = arrange.arrange(score, settings.clip_seconds, settings.seed, players, split, place)
    path, measured = render.clip(midi.to_midi(arranged), settings.clip_seconds, font, cache)
    draw = numpy_generator(settings.seed, "caption", split, place)
    known = captions.facts(piece, arranged, draw)
    row = {
        "clip_id": f"{split}-{place:05d}",
        "source": "scores",
        "piece": piece.work,
        "split": split,
        "caption": captions.caption(known, draw),
        "aspect_list": captions.aspects(known),
        "seconds": settings.clip_seconds,
        "licence": piece.licence,
        "contrast": arranged.contrast,
        "contrast_class": contrast_class(arranged.contrast),
        "contrast_source": "arrangement",
        "file": piece.name,
        "composer": piece.composer,
        "genre": piece.genre,
        "ensemble": arranged.ensemble.name,
        "tempo_bpm": arranged.tempo_bpm,
        "key": known.key,
        "metre": arranged.metre,
        "shape": arranged.shape,
        "bar": arranged.bar,
        "transposition": arranged.transposition,
        **measured,
    }
    return row, path
