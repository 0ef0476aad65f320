"""Prepare the corpus that `prepare.corpus.kind` in params.yaml names: scores, musiccaps or folder."""

from pathlib import Path

from eisbach.data.musiccaps.prepare import prepare_musiccaps
from eisbach.data.recorded.folder import prepare_folder
from eisbach.data.scores.prepare import prepare_scores
from eisbach.pipeline.params import Folder, MusicCaps, Prepare, Scores

CACHE = Path(".cache/eisbach")
PREPARE = {Scores: prepare_scores, MusicCaps: prepare_musiccaps, Folder: prepare_folder}


def prepare(settings: Prepare, target: Path, cache: Path = CACHE) -> dict:
    """Write manifest.parquet, clips.tar, status.parquet and summary.json into `target` and return the summary.

    `cache` keeps downloads, parsed scores and clips, so that an interrupted run continues where it stopped. Raises
    UserError for invalid settings or input files, and when too few sources are usable.
    """
    return PREPARE[type(settings.corpus)](settings, target, cache)
