"""The corpus `folder`: your own music, as audio files with captions or as latents from Stability's pre-encoding."""

import hashlib
import os
import re
from pathlib import Path

from eisbach.data import status
from eisbach.data.manifest import CORE
from eisbach.data.recorded import captions, decoding, preencoded
from eisbach.data.recorded.prepare import RANGES, SPLITS, Recording, prepare_recordings
from eisbach.data.recorded.types import Rules, Unusable
from eisbach.errors import UserError
from eisbach.pipeline.params import Folder, Prepare

RESERVED = {"file", "file_sha256", "start_seconds", "source_rms_db", "rms_db", "peak_db", *RANGES, *CORE.names}
READ = {captions.FILE, captions.CAPTION, "aspect_list", "licence", "split"}  # a table's other columns are only copied


def prepare_folder(settings: Prepare, target: Path, cache: Path) -> dict:
    """Write manifest.parquet, clips.tar, status.parquet and summary.json into `target` and return the summary.

    Raises UserError for invalid settings, an invalid table of captions, and when too few files are usable.
    """
    corpus = settings.corpus
    _check(settings)
    root = Path(corpus.path)
    files = _files(root)
    table = captions.read_table(root, corpus.captions)
    if corpus.group and (table is None or any(corpus.group not in row for row in table.values())):
        raise UserError(
            f"prepare.corpus.group is '{corpus.group}' in params.yaml, but the table of captions has no such column; "
            "add it, or name another"
        )
    recordings, lost = [], []
    for path in files:
        try:
            recordings.append(_recording(path, root, table, corpus))
        except Unusable as fault:
            lost.append(status.SourceStatus(_name(path, root), fault.status, fault.reason, attempts=0))
    present = {_name(path, root) for path in files}
    lost += [
        status.SourceStatus(_readable(name), "missing", "the table of captions names it, but it is not there", 0)
        for name in table or {}
        if _readable(name) not in present
    ]
    if not files:
        raise UserError(
            f"there is no audio in {root} ({', '.join(decoding.SUFFIXES)}; or {preencoded.SUFFIX} latents); put your "
            "files there, or set prepare.corpus.path in params.yaml"
        )
    rules = Rules(settings.clip_seconds, corpus.min_seconds, corpus.silence_db)
    return prepare_recordings(recordings, lost, settings, rules, target, cache)


def _check(settings: Prepare) -> None:
    corpus = settings.corpus
    if not Path(corpus.path).is_dir():
        raise UserError(
            f"prepare.corpus.path is '{corpus.path}' in params.yaml, but there is no such folder; correct it"
        )
    if not 0 < corpus.min_seconds <= settings.clip_seconds:
        raise UserError(
            f"prepare.corpus.min_seconds is {corpus.min_seconds:g} in params.yaml; it must be above 0 and at most "
            f"prepare.clip_seconds, {settings.clip_seconds:g}"
        )
    if not 0 < corpus.heldout_share < 1:
        raise UserError(
            f"prepare.corpus.heldout_share is {corpus.heldout_share:g} in params.yaml; it must be between 0 and 1"
        )


def _files(root: Path) -> list[Path]:
    """The files of music below `root`, without hidden ones, in an order that is the same on every machine.

    Raises UserError where there are both audio and latents: their contrast is measured on different scales.
    """
    paths = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]  # os.walk does not enter the others
        paths += [Path(folder, name) for name in names if not name.startswith(".")]
    paths.sort()
    audio = [path for path in paths if path.suffix.lower() in decoding.SUFFIXES]
    latents = [path for path in paths if path.suffix == preencoded.SUFFIX and path.name != preencoded.SILENCE]
    if audio and latents:
        raise UserError(
            f"{root} has audio ({_name(audio[0], root)}) and latents ({_name(latents[0], root)}); keep one of them"
        )
    return audio or latents


def _recording(path: Path, root: Path, table: dict | None, corpus: Folder) -> Recording:
    """The recording of a file. Raises Unusable for a file without a caption, UserError for an invalid table."""
    name = _name(path, root)
    if path.suffix == preencoded.SUFFIX:
        row = {captions.CAPTION: str(preencoded.read_description(path).get("prompt", ""))}
    elif table is None:
        row = captions.read_text_file(path)
    elif name in table:
        row = table[name]
    else:
        raise Unusable("no caption", "the table of captions does not name it")
    caption = " ".join(row[captions.CAPTION].split())
    if not caption:
        raise Unusable("no caption", "its caption is empty")
    copied = {key: value for key, value in row.items() if key not in READ}
    if clashing := sorted(copied.keys() & RESERVED):
        raise UserError(
            f"the table of captions has a column '{clashing[0]}', which is a column of the manifest; rename it"
        )
    split = row.get("split", "").strip()
    if split and split not in SPLITS:
        raise UserError(f"{name} has split '{split}' in the table of captions; the splits are {', '.join(SPLITS)}")
    try:
        aspects = captions.parse_aspects(row.get("aspect_list", ""))
    except ValueError as error:
        raise UserError(f"the aspect_list of {name} in the table of captions: {error}; correct it") from error
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-")[:40]
    return Recording(
        id=f"{slug}-{digest}".strip("-"),
        name=name,
        path=path,
        piece=row.get(corpus.group, "").strip() or name,
        caption=caption,
        licence=row.get("licence", "").strip() or corpus.licence,
        aspects=aspects,
        split=split,
        facts=copied,
    )


def _name(path: Path, root: Path) -> str:
    return _readable(path.relative_to(root).as_posix())


def _readable(name: str) -> str:
    """The name as valid UTF-8: bytes in another encoding become escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
