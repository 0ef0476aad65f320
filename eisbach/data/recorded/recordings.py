"""Recorded music -> manifest, clips and what became of every file: what `musiccaps` and `folder` have in common."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from eisbach.data import clips, manifest, status
from eisbach.data.contrast import contrast_class
from eisbach.data.parallel import parallel
from eisbach.data.recorded import cuts, measured, splits
from eisbach.data.recorded.material import Rules, Unusable
from eisbach.errors import UserError
from eisbach.pipeline import tables
from eisbach.pipeline.params import Prepare
from eisbach.pipeline.progress import track

SPLITS = ("base", "finetune", "heldout")
RANGES = ("loudness_range_db", "energy_range_db")  # of sound, of latents: what contrast is measured by


@dataclass(frozen=True)
class Recording:
    """A file of music and what is said about it."""

    id: str  # letters, digits, _ and -, at most 60 of them: names its clips
    name: str  # for people: the path in the folder, the video
    path: Path
    piece: str  # what must not be in two splits
    caption: str
    licence: str
    aspects: list[str] = field(default_factory=list)
    split: str = ""  # empty: it is drawn
    attempts: int = 1
    facts: dict[str, str] = field(default_factory=dict)  # further columns of the manifest, the same ones for all


def prepare(
    recordings: list[Recording], lost: list[status.Outcome], settings: Prepare, rules: Rules, target: Path, cache: Path
) -> dict:
    """Write manifest.parquet, clips.tar, status.parquet and summary.json into `target`; return the summary.

    `lost` are sources of which there is no recording. Raises UserError when too few sources can be used, or a split
    that the pipeline needs has no clips; status.parquet is there by then.
    """
    corpus = settings.corpus
    made, faults = _cut(recordings, rules, cache)
    outcomes = sorted([*lost, *faults, *(_used(*one) for one in made)], key=lambda outcome: outcome.name)
    status.write(outcomes, target)
    status.check_coverage(outcomes, corpus.min_coverage, target / "status.parquet")
    split = splits.assigned(
        {recording.name: (recording.piece, recording.split) for recording, _, _ in made},
        corpus.heldout_share,
        settings.seed,
    )
    rows = [row for one in made for row in _rows(*one, split, corpus.kind)]
    _measure_contrast(rows)
    chosen = _choose(rows, settings)
    paths = {row["clip_id"]: row.pop("path") for row in rows}
    manifest.write(chosen, target / "manifest.parquet")
    clips.write(((row["clip_id"], paths[row["clip_id"]]) for row in chosen), target / "clips.tar")
    found = {
        "clips": len(chosen),
        "clips_left_over": len(rows) - len(chosen),
        "pieces": len({row["piece"] for row in chosen}),
        "clips_by_split": dict(Counter(row["split"] for row in chosen)),
        "clips_by_class": dict(Counter(row["contrast_class"] for row in chosen)),
        "sources_by_status": status.counts(outcomes),
        "coverage": status.coverage(outcomes),
    }
    tables.write_metrics(target / "summary.json", found)
    return found


def _cut(recordings: list[Recording], rules: Rules, cache: Path) -> tuple[list, list[status.Outcome]]:
    """[(recording, sha256, its clips)] and what became of the others. The second of two equal files is left out."""
    with ThreadPoolExecutor() as pool:  # hashing leaves Python's lock alone
        digests = list(pool.map(cuts.digest_or_fault, [recording.path for recording in recordings]))
    first = {digest: place for place, digest in reversed(list(enumerate(digests))) if isinstance(digest, str)}
    tasks = [(recordings[place].path, digest) for digest, place in first.items()]
    work = partial(cuts.attempt, rules=rules, cache=cache)
    results = dict(zip(first.values(), track(parallel(work, tasks), "cut clips", len(tasks)), strict=True))
    made, faults = [], []
    for place, (recording, digest) in enumerate(zip(recordings, digests, strict=True)):
        result, sha256 = (digest, "") if isinstance(digest, Unusable) else (results[first[digest]], digest)
        if place != first.get(digest, place) and not isinstance(result, Unusable):
            result = Unusable("duplicate", f"the same sound as {recordings[first[digest]].name}")
        if isinstance(result, Unusable):
            faults.append(
                status.Outcome(recording.name, result.status, result.reason, recording.attempts, sha256=sha256)
            )
        else:
            made.append((recording, sha256, result))
    return made, faults


def _used(recording: Recording, sha256: str, made: list[cuts.Clip]) -> status.Outcome:
    return status.Outcome(recording.name, "ok", "", recording.attempts, len(made), sha256)


def _rows(
    recording: Recording, sha256: str, made: list[cuts.Clip], split: dict[str, str], source: str
) -> Iterable[dict]:
    """The manifest's rows of a recording, with the clip's `path` and without its contrast."""
    for place, clip in enumerate(made):
        yield {
            "clip_id": f"{recording.id}-{place:03d}",
            "source": source,
            "piece": recording.piece,
            "split": split[recording.piece],
            "caption": recording.caption,
            "aspect_list": recording.aspects,
            "seconds": clip.seconds,
            "licence": recording.licence,
            "sha256": clip.sha256,
            "path": clip.path,
            "file": recording.name,
            "file_sha256": sha256,
            "start_seconds": clip.start_seconds,
            **clip.facts,
            **recording.facts,
        }


def _measure_contrast(rows: list[dict]) -> None:
    """Rank every clip among all fine-tuning clips, taken or not, so that counts change no clip's class."""
    name = next(name for name in RANGES if name in rows[0])
    ranges = np.array([row[name] for row in rows])
    reference = np.array([row["split"] == "finetune" for row in rows])
    if not reference.any():
        raise UserError("no file is for fine-tuning; give some the split 'finetune' in the table of captions")
    for row, contrast in zip(rows, measured.contrast(ranges, ranges[reference]), strict=True):
        row |= {"contrast": contrast, "contrast_class": contrast_class(contrast), "contrast_source": "measured"}


def _choose(rows: list[dict], settings: Prepare) -> list[dict]:
    """At most `prepare.clips` rows of every split, splits in their order."""
    chosen = []
    for split in SPLITS:
        here = [row for row in rows if row["split"] == split]
        names = [(row["clip_id"], row["piece"]) for row in here]
        chosen += [here[place] for place in splits.taken(names, settings.clips.get(split, 0), settings.seed)]
    found = {row["split"] for row in chosen}
    for split in ("finetune", "heldout"):
        if split not in found:
            raise UserError(
                f"no clip is left for split '{split}'; raise prepare.clips.{split} or prepare.corpus.heldout_share in "
                "params.yaml, or give some files that split in the table of captions"
            )
    return chosen
