"""Make a corpus from recordings: cut them, assign splits, measure contrast and write the files.

`folder` and `musiccaps` use it.
"""

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from eisbach.data import clips, manifest, status
from eisbach.data.contrast import contrast_class
from eisbach.data.parallel import process_map
from eisbach.data.recorded import cuts, measured_contrast, splits
from eisbach.data.recorded.types import Rules, Unusable
from eisbach.errors import UserError
from eisbach.pipeline import tables
from eisbach.pipeline.params import Prepare
from eisbach.pipeline.progress import track

SPLITS = ("base", "finetune", "heldout")
RANGES = ("loudness_range_db", "energy_range_db")  # the columns from which contrast is ranked: of audio, of latents


@dataclass(frozen=True)
class Recording:
    """A file of music and its description."""

    id: str  # letters, digits, _ and -, at most 60 characters; the start of its clips' ids
    name: str  # for people: the path in the folder, or the video's id
    path: Path
    piece: str  # the unit of the split
    caption: str
    licence: str
    aspects: list[str] = field(default_factory=list)
    split: str = ""  # empty: drawn
    attempts: int = 1
    facts: dict[str, str] = field(default_factory=dict)  # further columns of the manifest, equal for all recordings


def prepare_recordings(
    recordings: list[Recording],
    lost: list[status.SourceStatus],
    settings: Prepare,
    rules: Rules,
    target: Path,
    cache: Path,
) -> dict:
    """Write manifest.parquet, clips.tar, status.parquet and summary.json into `target` and return the summary.

    `lost` are sources without a recording. Raises UserError when too few sources are usable, or when finetune or
    heldout has no clips; status.parquet is written before that.
    """
    corpus = settings.corpus
    made, faults = _cut(recordings, rules, cache)
    sources = sorted([*lost, *faults, *(_usable(*one) for one in made)], key=lambda source: source.name)
    status.write(sources, target)
    status.check_coverage(sources, corpus.min_coverage, target / "status.parquet")
    split = splits.assign(
        {recording.name: (recording.piece, recording.split) for recording, _, _ in made},
        corpus.heldout_share,
        settings.seed,
    )
    rows = [row for one in made for row in _rows(*one, split, corpus.kind)]
    _add_contrast(rows)
    chosen = _choose(rows, settings)
    paths = {
        _clip_id(recording, index): clip.path for recording, _, cut in made for index, clip in enumerate(cut.clips)
    }
    manifest.write(chosen, target / "manifest.parquet")
    clips.write(((row["clip_id"], paths[row["clip_id"]]) for row in chosen), target / "clips.tar")
    summary = {
        **manifest.counts(chosen),
        "clips_left_over": len(rows) - len(chosen),
        "sources_by_status": status.counts(sources),
        "coverage": status.coverage(sources),
        "lost_seconds": round(sum(source.lost_seconds for source in sources), 3),
    }
    tables.write_metrics(target / "summary.json", summary)
    return summary


def _cut(recordings: list[Recording], rules: Rules, cache: Path) -> tuple[list, list[status.SourceStatus]]:
    """[(recording, sha256, its Cut)] of usable files and the status of the others.

    Of files with equal bytes the first is usable.
    """
    with ThreadPoolExecutor() as pool:  # hashing releases the GIL
        digests = list(pool.map(cuts.try_digest, [recording.path for recording in recordings]))
    first = {digest: index for index, digest in reversed(list(enumerate(digests))) if isinstance(digest, str)}
    tasks = [(recordings[index].path, digest) for digest, index in first.items()]
    work = partial(cuts.try_cut, rules=rules, cache=cache)
    results = dict(zip(first.values(), track(process_map(work, tasks), "cut clips", len(tasks)), strict=True))
    made, faults = [], []
    for index, (recording, digest) in enumerate(zip(recordings, digests, strict=True)):
        result, sha256 = (digest, "") if isinstance(digest, Unusable) else (results[first[digest]], digest)
        if index != first.get(digest, index) and not isinstance(result, Unusable):
            result = Unusable("duplicate", f"the same bytes as {recordings[first[digest]].name}")
        if isinstance(result, Unusable):
            faults.append(
                status.SourceStatus(recording.name, result.status, result.reason, recording.attempts, sha256=sha256)
            )
        else:
            made.append((recording, sha256, result))
    return made, faults


def _usable(recording: Recording, sha256: str, cut: cuts.Cut) -> status.SourceStatus:
    losses = [remark.lost_seconds for remark in cut.remarks if remark.lost_seconds is not None]
    reason = "; ".join(dict.fromkeys(remark.reason for remark in cut.remarks))
    kind, lost = "partial" if losses else "ok", round(sum(losses), 6)
    return status.SourceStatus(recording.name, kind, reason, recording.attempts, len(cut.clips), sha256, lost)


def _clip_id(recording: Recording, index: int) -> str:
    return f"{recording.id}-{index:03d}"


def _rows(recording: Recording, sha256: str, cut: cuts.Cut, split: dict[str, str], source: str) -> Iterable[dict]:
    """The manifest's rows of a recording, still without contrast."""
    for index, clip in enumerate(cut.clips):
        row = {
            "clip_id": _clip_id(recording, index),
            "source": source,
            "piece": recording.piece,
            "split": split[recording.piece],
            "caption": recording.caption,
            "aspect_list": recording.aspects,
            "seconds": clip.seconds,
            "licence": recording.licence,
            "sha256": clip.sha256,
            "file": recording.name,
            "file_sha256": sha256,
            "start_seconds": clip.start_seconds,
            **clip.facts,
        }
        yield row | _copied(recording.facts, row.keys() | set(manifest.CORE.names))


def _copied(facts: dict[str, str], ours: Collection[str]) -> dict[str, str]:
    """The table's columns, those named like one of ours with "table_" before the name."""
    copied: dict[str, str] = {}
    for name in sorted(facts, key=lambda name: name in ours):  # stable: names that need no change first
        new = name
        while new in ours or new in copied:
            new = f"table_{new}"
        copied[new] = facts[name]
    return copied


def _add_contrast(rows: list[dict]) -> None:
    """Rank every clip among all fine-tuning clips, chosen or not, so that `prepare.clips` changes no clip's class."""
    name = next(name for name in RANGES if name in rows[0])
    ranges = np.array([row[name] for row in rows])
    reference = np.array([row["split"] == "finetune" for row in rows])
    if not reference.any():
        raise UserError("no file has split 'finetune'; give that split to some files in the table of captions")
    for row, contrast in zip(rows, measured_contrast.contrast_rank(ranges, ranges[reference]), strict=True):
        row |= {"contrast": contrast, "contrast_class": contrast_class(contrast), "contrast_source": "measured"}


def _choose(rows: list[dict], settings: Prepare) -> list[dict]:
    """At most `prepare.clips` rows of every split, in the order of SPLITS."""
    chosen = []
    for split in SPLITS:
        candidates = [row for row in rows if row["split"] == split]
        names = [(row["clip_id"], row["piece"]) for row in candidates]
        chosen += [candidates[index] for index in splits.choose(names, settings.clips.get(split, 0), settings.seed)]
    present = {row["split"] for row in chosen}
    for split in ("finetune", "heldout"):
        if split not in present:
            raise UserError(
                f"split '{split}' has no clips; raise prepare.clips.{split} or change prepare.corpus.heldout_share in "
                "params.yaml, or give some files that split in the table of captions"
            )
    return chosen
