"""The corpus `folder`: your own music, as audio files with captions or as latents from Stability's pre-encoding."""

import hashlib
import re
from collections import Counter
from pathlib import Path

from eisbach.data import status
from eisbach.data.recorded import captions, decoding, listing, preencoded, text
from eisbach.data.recorded.prepare import SPLITS, Recording, prepare_recordings
from eisbach.data.recorded.table import Row, Table, read_tables
from eisbach.data.recorded.types import Rules, Unusable
from eisbach.errors import UserError
from eisbach.pipeline.params import Folder, Prepare

READ = {"aspect_list", "licence", "split"}  # a table's other columns are only copied


def prepare_folder(settings: Prepare, target: Path, cache: Path) -> dict:
    """Write manifest.parquet, clips.tar, status.parquet and summary.json into `target` and return the summary.

    Raises UserError for a folder that does not exist, a table of captions that cannot be read, and when too few files
    are usable.
    """
    corpus = settings.corpus
    root = Path(corpus.path)
    if not root.is_dir():
        raise UserError(f"prepare.corpus.path is '{root}' in params.yaml, but there is no such folder; correct it")
    found = listing.walk(root)
    files = {_name(path, root): path for path in _music(found.files, root)}
    lost = [_status(_name(path, root), Unusable(*fault)) for path, *fault in found.faults]
    if not files and not lost:
        raise UserError(
            f"there is no audio in {root} ({', '.join(decoding.SUFFIXES)}; or {preencoded.SUFFIX} latents); put your "
            "files there, or set prepare.corpus.path in params.yaml"
        )
    table = read_tables(root, corpus.captions, found.folders)
    if corpus.group and (table is None or corpus.group not in table.columns):
        raise UserError(
            f"prepare.corpus.group is '{corpus.group}' in params.yaml, but the table of captions has no such column; "
            "add it, or name another"
        )
    rows, unmatched = _match(table, files, found, root)
    lost += unmatched
    faults = _odd_channels(files)
    recordings = []
    for name, path in files.items():
        try:
            if name in faults:
                raise faults[name]
            recordings.append(_recording(name, path, rows.get(name, []), table, corpus))
        except Unusable as fault:
            lost.append(_status(name, fault))
    rules = Rules(settings.clip_seconds, corpus.min_seconds, corpus.silence_db, settings.level, settings.seed)
    return prepare_recordings(recordings, lost, settings, rules, target, cache)


def _music(paths: list[Path], root: Path) -> list[Path]:
    """The files of music among `paths`, sorted.

    Raises UserError where there are both audio and latents: their contrast is measured on different scales.
    """
    audio = [path for path in paths if path.suffix.lower() in decoding.SUFFIXES]
    latents = [path for path in paths if path.suffix.lower() == preencoded.SUFFIX and path.name != preencoded.SILENCE]
    if audio and latents:
        raise UserError(
            f"{root} has audio ({_name(audio[0], root)}) and latents ({_name(latents[0], root)}); keep one of them"
        )
    return sorted(audio or latents)


def _match(
    table: Table | None, files: dict[str, Path], found: listing.Listing, root: Path
) -> tuple[dict[str, list[Row]], list[status.SourceStatus]]:
    """The rows of every file of music, and the status of names that fit no file, or several."""
    names = listing.Names(root, files)
    others = listing.Names(root, [_name(path, root) for path in found.files])
    rows: dict[str, list[Row]] = {}
    lost: dict[str, Unusable] = {}
    for row in table.rows if table else ():
        fits = names.find(row.file)
        if len(fits) == 1:
            rows.setdefault(fits[0], []).append(row)
        elif fits:
            lost[row.file] = Unusable("ambiguous", f"the table of captions can mean {' or '.join(fits)}")
        elif names.outside(row.file):
            lost[row.file] = Unusable("outside", "the table of captions names it, but it is outside the folder")
        elif others.find(row.file):
            lost[row.file] = Unusable("no music", "the table of captions names it, but it is in none of the formats")
        else:
            lost[row.file] = Unusable("missing", "the table of captions names it, but it is not there")
    named = {_name(path, root) for path, *_ in found.faults}
    return rows, [
        _status(text.printable(name), fault) for name, fault in lost.items() if text.printable(name) not in named
    ]


def _odd_channels(files: dict[str, Path]) -> dict[str, Unusable]:
    """The faults of files of latents that hold none, or another number of channels than most of the files."""
    faults: dict[str, Unusable] = {}
    counts: dict[str, int] = {}
    for name, path in files.items():
        if path.suffix.lower() == preencoded.SUFFIX:
            try:
                counts[name] = preencoded.channels(path)
            except Unusable as fault:
                faults[name] = fault
    [(usual, _)] = Counter(counts.values()).most_common(1) or [(0, 0)]
    for name, count in counts.items():
        if count != usual:
            faults[name] = Unusable("channels", f"latents of {count} channels, where most files have {usual}")
    return faults


def _recording(name: str, path: Path, rows: list[Row], table: Table | None, corpus: Folder) -> Recording:
    """The recording of a file and its rows. Raises Unusable for a file without a caption or with an invalid row."""
    row = _row(path, rows, table)
    caption = captions.clean(row.caption)
    split = row.cells.get("split", "").strip()
    if split and split not in SPLITS:
        raise Unusable("bad row", f"its split is '{split}' in the table of captions, not one of {', '.join(SPLITS)}")
    try:
        aspects = captions.parse_aspects(row.cells.get("aspect_list", ""))
    except ValueError as error:
        raise Unusable("bad row", f"its aspect_list in the table of captions: {error}") from error
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-")[:40]
    return Recording(
        id=f"{slug}-{digest}".strip("-"),
        name=name,
        path=path,
        piece=(row.cells.get(corpus.group, "").strip() if corpus.group else "") or name,
        caption=caption,
        licence=row.cells.get("licence", "").strip() or corpus.licence,
        aspects=aspects,
        split=split,
        facts={column: cell for column, cell in row.cells.items() if column not in READ},
    )


def _row(path: Path, rows: list[Row], table: Table | None) -> Row:
    """The one row of a file: from the tables, with the caption beside the file where they have none, or for latents.

    Raises Unusable.
    """
    if any((row.caption, row.cells) != (rows[0].caption, rows[0].cells) for row in rows):
        raise Unusable("ambiguous", f"the table of captions has {len(rows)} different rows for it")
    cells = rows[0].cells if rows else dict.fromkeys(table.columns if table else (), "")
    if path.suffix.lower() == preencoded.SUFFIX:
        return Row("", preencoded.read_description(path).get("prompt"), cells)
    if rows:
        return rows[0]
    try:
        return Row("", captions.read_text_file(path), cells)
    except Unusable as fault:
        tables = "no table of captions names it, and " if table else ""
        raise Unusable(fault.status, tables + fault.reason) from fault


def _status(name: str, fault: Unusable) -> status.SourceStatus:
    return status.SourceStatus(name, fault.status, fault.reason, attempts=0)


def _name(path: Path, root: Path) -> str:
    return text.printable(path.relative_to(root).as_posix())
