"""The corpus `musiccaps`: the clips of MusicCaps that the video site still has, with their captions.

The table's text is CC BY-SA 4.0. The audio belongs to its makers, who have not licensed it to us (docs/data.md).
"""

from pathlib import Path

from eisbach.data.musiccaps import annotations, download, fetching
from eisbach.data.recorded.prepare import Recording, prepare_recordings
from eisbach.data.recorded.types import Rules
from eisbach.pipeline.params import Prepare

LICENCE = "text CC BY-SA 4.0 (MusicCaps); sound: all rights with its makers"
LEAST_SECONDS, SILENCE_DB = 1.0, -60.0


def prepare_musiccaps(settings: Prepare, target: Path, cache: Path, address: str = download.ADDRESS) -> dict:
    """Download missing clips; write manifest.parquet, clips.tar, status.parquet and summary.json into `target`.

    Returns the summary. Raises UserError for an invalid table, when the site refuses all requests, and when too few
    clips are available.
    """
    corpus = settings.corpus
    rows = annotations.select(corpus, settings.seed)
    folder = cache / "musiccaps"
    statuses = fetching.fetch([row.segment for row in rows], folder, corpus, address)
    recordings = [
        Recording(
            id=row.segment.id,
            name=row.segment.id,
            path=download.audio_path(row.segment, folder),
            piece=row.segment.id,
            caption=row.caption,
            licence=LICENCE,
            aspects=row.aspects,
            split=("heldout" if row.evaluation else "finetune") if corpus.subset == "all" else "",
            attempts=statuses[row.segment.id].attempts,
            facts=row.facts,
        )
        for row in rows
        if statuses[row.segment.id].status == "ok"
    ]
    lost = [status for status in statuses.values() if status.status != "ok"]
    least = min(LEAST_SECONDS, settings.clip_seconds)
    rules = Rules(settings.clip_seconds, least, SILENCE_DB, settings.level, settings.seed)
    return prepare_recordings(recordings, lost, settings, rules, target, cache)
