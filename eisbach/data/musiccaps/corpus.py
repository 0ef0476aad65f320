"""The corpus `musiccaps`: 5,521 captioned ten seconds of videos, of which a site still has some.

The table's text is CC BY-SA 4.0; the sound belongs to whoever made it and is licensed to nobody here (docs/data.md).
"""

from pathlib import Path

from eisbach.data.musiccaps import download, fetching
from eisbach.data.musiccaps import table as musiccaps_table
from eisbach.data.recorded import recordings
from eisbach.data.recorded.material import Rules
from eisbach.data.recorded.recordings import Recording
from eisbach.pipeline.params import Prepare

LICENCE = "text CC BY-SA 4.0 (MusicCaps); sound: all rights with its makers"
LEAST_SECONDS, SILENCE_DB = 1.0, -60.0


def prepare(settings: Prepare, target: Path, cache: Path, address: str = download.ADDRESS) -> dict:
    """Fetch what is missing, then write manifest.parquet, clips.tar, status.parquet and summary.json into `target`.

    Returns the summary. Raises UserError for a faulty table and when the site has too little left.
    """
    corpus = settings.corpus
    rows = musiccaps_table.select(corpus, settings.seed)
    folder = cache / "musiccaps"
    outcomes = fetching.fetch([row.wanted for row in rows], folder, corpus, address)
    found = [
        Recording(
            id=row.wanted.id,
            name=row.wanted.id,
            path=download.place(row.wanted, folder),
            piece=row.wanted.id,
            caption=row.caption,
            licence=LICENCE,
            aspects=row.aspects,
            split=("heldout" if row.evaluation else "finetune") if corpus.subset == "all" else "",
            attempts=outcomes[row.wanted.id].attempts,
            facts=row.facts,
        )
        for row in rows
        if outcomes[row.wanted.id].status == "ok"
    ]
    lost = [outcome for outcome in outcomes.values() if outcome.status != "ok"]
    rules = Rules(settings.clip_seconds, min(LEAST_SECONDS, settings.clip_seconds), SILENCE_DB)
    return recordings.prepare(found, lost, settings, rules, target, cache)
