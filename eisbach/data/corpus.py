"""One door for every corpus: params.yaml's `prepare.corpus.kind` says which."""

from pathlib import Path

from eisbach.data.musiccaps import corpus as musiccaps
from eisbach.data.recorded import folder
from eisbach.data.scores import corpus as scores
from eisbach.pipeline.params import Folder, MusicCaps, Prepare, Scores

CACHE = Path(".cache/eisbach")
PREPARE = {Scores: scores.prepare, MusicCaps: musiccaps.prepare, Folder: folder.prepare}


def prepare(settings: Prepare, target: Path, cache: Path = CACHE) -> dict:
    """Write manifest.parquet, clips.tar, status.parquet and summary.json into `target`; return the summary."""
    return PREPARE[type(settings.corpus)](settings, target, cache)
