"""The names and hashes of all files of a user's folder, from which DVC sees that music or adapters have changed.

DVC itself stops at a link to nothing and at a name that is not UTF-8, hangs at a named pipe and ignores linked folders.
"""

import json
from pathlib import Path

from eisbach.data.recorded import cuts, listing, text
from eisbach.data.recorded.types import Unusable
from eisbach.errors import UserError
from eisbach.pipeline import tables


def fingerprint(path: Path, cache: Path) -> dict[str, str]:
    """The sha256 of each file at or below `path`, or why it cannot be read, by its name.

    The file `cache` keeps the hashes of files whose size, time and inode stay the same. Raises UserError where there
    is neither a file nor a folder.
    """
    if not path.exists():
        raise UserError(f"params.yaml names '{path}', but there is no such file or folder; correct it")
    if path.is_file():
        return {path.name: cuts.digest(path)}
    found, known = listing.walk(path), _known(cache)
    kept = {text.printable(str(file)): _entry(file, known) for file in found.files}
    tables.write_metrics(cache, kept)
    names = {text.printable(str(file)): text.printable(file.relative_to(path).as_posix()) for file in found.files}
    faults = {text.printable(file.relative_to(path).as_posix()): reason for file, _, reason in found.faults}
    return {names[key]: sha256 for key, (*_, sha256) in kept.items()} | faults


def _entry(file: Path, known: dict[str, list]) -> list:
    """[size, time, inode, sha256 or the fault] of a file."""
    stat = file.stat()
    state = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
    before = known.get(text.printable(str(file)), [])
    if before[:-1] == state:
        return before
    digest = cuts.try_digest(file)
    return [*state, digest.reason if isinstance(digest, Unusable) else digest]


def _known(cache: Path) -> dict[str, list]:
    try:
        return json.loads(cache.read_text())
    except (OSError, ValueError):
        return {}
