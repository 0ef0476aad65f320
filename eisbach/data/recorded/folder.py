"""The corpus `folder`: your own music, as files with captions or as latents that Stability's tools made."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from eisbach.data import status
from eisbach.data.manifest import CORE
from eisbach.data.recorded import decoding as sound
from eisbach.data.recorded import labels, preencoded, recordings
from eisbach.data.recorded.material import Rules, Unusable
from eisbach.data.recorded.recordings import Recording
from eisbach.errors import UserError
from eisbach.pipeline.params import Folder, Prepare

OURS = {"file", "file_sha256", "start_seconds", "source_rms_db", "rms_db", "peak_db", *recordings.RANGES}
READ = {labels.FILE, labels.CAPTION, "aspect_list", "licence", "split"}  # what is read from a table; the rest is kept


def prepare(settings: Prepare, target: Path, cache: Path) -> dict:
    """Write manifest.parquet, clips.tar, status.parquet and summary.json into `target`; return the summary.

    Raises UserError for settings or a table that make no sense, and when too few files can be used.
    """
    corpus = settings.corpus
    _check(settings)
    root = Path(corpus.path)
    files = list(_files(root))
    table = labels.table(root, corpus.captions)
    if corpus.group and (table is None or any(corpus.group not in row for row in table.values())):
        raise UserError(f"prepare.corpus.group is '{corpus.group}', and the table of captions has no such column")
    found, lost = [], []
    for path in files:
        try:
            found.append(_recording(path, root, table, corpus))
        except Unusable as fault:
            lost.append(status.Outcome(_name(path, root), fault.status, fault.reason, attempts=0))
    there = {_name(path, root) for path in files}
    lost += [
        status.Outcome(_readable(name), "missing", "the table names it; the folder has no such file", attempts=0)
        for name in table or {}
        if _readable(name) not in there
    ]
    if not files:
        raise UserError(
            f"there is no audio in {root} ({', '.join(sound.SUFFIXES)}; or {preencoded.SUFFIX} latents); put your "
            "files there, or set prepare.corpus.path in params.yaml"
        )
    rules = Rules(settings.clip_seconds, corpus.min_seconds, corpus.silence_db)
    return recordings.prepare(found, lost, settings, rules, target, cache)


def _check(settings: Prepare) -> None:
    corpus = settings.corpus
    if not Path(corpus.path).is_dir():
        raise UserError(f"prepare.corpus.path is '{corpus.path}' in params.yaml, and there is no such folder")
    if not 0 < corpus.min_seconds <= settings.clip_seconds:
        raise UserError(
            f"prepare.corpus.min_seconds is {corpus.min_seconds:g} in params.yaml; it must be above 0 and at most "
            f"prepare.clip_seconds, {settings.clip_seconds:g}"
        )
    if not 0 < corpus.heldout_share < 1:
        raise UserError(f"prepare.corpus.heldout_share is {corpus.heldout_share:g}; it must lie between 0 and 1")


def _files(root: Path) -> Iterator[Path]:
    """Every file of music below `root`, hidden ones left out, in an order that every machine gives.

    Raises UserError where there are both sound and latents: their contrast is measured on different scales.
    """
    every = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]  # os.walk goes where this list says
        every += [Path(folder, name) for name in names if not name.startswith(".")]
    every.sort()
    heard = [path for path in every if path.suffix.lower() in sound.SUFFIXES]
    latents = [path for path in every if path.suffix == preencoded.SUFFIX and path.name != preencoded.SILENCE]
    if heard and latents:
        raise UserError(
            f"{root} has sound ({_name(heard[0], root)}) and latents ({_name(latents[0], root)}); keep one of them"
        )
    yield from heard or latents


def _recording(path: Path, root: Path, table: dict | None, corpus: Folder) -> Recording:
    """Raises Unusable for a file without a caption."""
    name = _name(path, root)
    if path.suffix == preencoded.SUFFIX:
        facts = preencoded.described(path)
        said = {labels.CAPTION: str(facts.get("prompt", ""))}
    elif table is None:
        said = labels.beside(path)
    elif name in table:
        said = table[name]
    else:
        raise Unusable("no caption", "the table of captions does not name it")
    caption = " ".join(said[labels.CAPTION].split())
    if not caption:
        raise Unusable("no caption", "its caption is empty")
    kept = {key: value for key, value in said.items() if key not in READ}
    if taken := sorted(kept.keys() & (OURS | set(CORE.names))):
        raise UserError(f"the table of captions has a column '{taken[0]}', a name that the manifest needs; rename it")
    split = said.get("split", "").strip()
    if split and split not in recordings.SPLITS:
        raise UserError(f"{name} has split '{split}'; the splits are {', '.join(recordings.SPLITS)}")
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-")[:40]
    return Recording(
        id=f"{slug}-{digest}".strip("-"),
        name=name,
        path=path,
        piece=said.get(corpus.group, "").strip() or name,
        caption=caption,
        licence=said.get("licence", "").strip() or corpus.licence,
        aspects=labels.aspects(said.get("aspect_list", "")),
        split=split,
        facts=kept,
    )


def _name(path: Path, root: Path) -> str:
    return _readable(path.relative_to(root).as_posix())


def _readable(name: str) -> str:
    """A name that can be written as UTF-8: bytes of another encoding are shown as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
