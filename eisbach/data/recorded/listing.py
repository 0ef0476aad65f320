"""The files below a folder, with linked folders, and the places that cannot be followed; files found by a name."""

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from eisbach.data.recorded import text


@dataclass(frozen=True)
class Listing:
    """What lies below a folder, without hidden files, in an order that is the same on every machine."""

    folders: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    faults: list[tuple[Path, str, str]] = field(default_factory=list)  # path, status, reason


def walk(root: Path) -> Listing:
    """List `root`. Links to files and folders are followed; a broken or circular link is a fault."""
    listing = Listing()
    _walk(root, {os.path.realpath(root)}, listing)
    return listing


def _walk(folder: Path, above: set[str], listing: Listing) -> None:
    listing.folders.append(folder)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        listing.faults.append((folder, "unreadable", f"the folder cannot be opened: {error.strerror}"))
        return
    for path in (folder / name for name in names if not name.startswith(".")):
        real = os.path.realpath(path)
        if path.is_file():
            listing.files.append(path)
        elif path.is_dir():
            if real in above:
                listing.faults.append((path, "broken link", "it links to a folder that contains it"))
            else:
                _walk(path, above | {real}, listing)
        elif path.is_symlink():
            listing.faults.append((path, "broken link", f"it links to {text.printable(os.readlink(path))}: not there"))
        else:
            listing.faults.append((path, "unreadable", "it is not a regular file"))


class Names:
    """Find files by the names that tables have for them."""

    def __init__(self, root: Path, names: Iterable[str]):
        """`names` are relative to the folder `root`."""
        self._root = _key(root.resolve().as_posix()) + "/"
        self._exact = set(names)
        self._by_key: dict[str, list[str]] = {}
        for name in self._exact:
            self._by_key.setdefault(_key(name), []).append(name)

    def find(self, name: str) -> list[str]:
        """The files that `name` can mean: one, none, or several that differ in case or in Unicode's normal form only.

        A backslash is a slash, an absolute path is shortened, letters may be composed (NFC) or not (NFD), and the case
        may differ where no name fits exactly.
        """
        if name in self._exact:
            return [name]
        plain = posixpath.normpath(name)
        return [plain] if plain in self._exact else sorted(self._by_key.get(self._relative(name), []))

    def outside(self, name: str) -> bool:
        """Whether `name` leaves the folder: an absolute path, an address, or a path that begins with `..`."""
        return bool(re.match(r"\.\.(/|$)|/|[a-z][a-z0-9+.-]*:/", self._relative(name)))

    def _relative(self, name: str) -> str:
        return _key(name).removeprefix(self._root)


def _key(name: str) -> str:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.replace("\\", "/")).casefold())
    return posixpath.normpath(folded)
