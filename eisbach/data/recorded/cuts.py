"""Files -> clips in the cache. The key is the content, the rules and this code: what is there is not made again."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache as memo
from importlib.metadata import version
from pathlib import Path

from eisbach.data.recorded import decoding as sound
from eisbach.data.recorded import ffmpeg, preencoded
from eisbach.data.recorded.material import Piece, Rules, Unusable
from eisbach.data.scores import render
from eisbach.files import replacing


@dataclass(frozen=True)
class Clip:
    """One clip in the cache. `start_seconds` is its place in the file, `facts` are what was measured on it."""

    path: Path
    sha256: str
    start_seconds: float
    seconds: float
    facts: dict[str, float]


def digest(path: Path) -> str:
    """The sha256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def digest_or_fault(path: Path) -> str | Unusable:
    """The sha256 of a file, or why there is none."""
    try:
        return digest(path)
    except OSError as error:
        return Unusable("unreadable", f"cannot be opened: {error.strerror}")


def attempt(task: tuple[Path, str], rules: Rules, cache: Path) -> list[Clip] | Unusable:
    """`cut` as a worker process does it: the fault comes back as a value, so that the others go on."""
    try:
        return cut(*task, rules, cache)
    except Unusable as fault:
        return fault


def cut(path: Path, sha256: str, rules: Rules, cache: Path) -> list[Clip]:
    """The clips of a file whose digest is known. Raises Unusable with the reason when it gives none."""
    beside = digest(path.with_suffix(".json")) if path.suffix == preencoded.SUFFIX else ""
    key = hashlib.sha256(f"{sha256}{beside}{path.suffix.lower()}{rules}{_recipe()}".encode()).hexdigest()
    folder = cache / "cuts" / key[:2] / key
    known = _known(folder)
    if known is None:
        with replacing(folder) as temporary:
            temporary.mkdir()
            known = [_write(temporary, place, piece) for place, piece in enumerate(_pieces(path, rules))]
            (temporary / "clips.json").write_text(json.dumps(known))
    return [Clip(folder / name, *rest) for name, *rest in known]


def _pieces(path: Path, rules: Rules) -> Iterator[Piece]:
    return preencoded.pieces(path, rules) if path.suffix == preencoded.SUFFIX else sound.pieces(path, rules)


def _write(folder: Path, place: int, piece: Piece) -> list:
    name = f"{place:05d}.{piece.suffix}"
    (folder / name).write_bytes(piece.content)
    return [name, hashlib.sha256(piece.content).hexdigest(), piece.start_seconds, piece.seconds, piece.facts]


def _known(folder: Path) -> list | None:
    """What clips.json says, if every clip that it names is there and intact."""
    try:
        known = json.loads((folder / "clips.json").read_text())
        return known if all(digest(folder / name) == sha256 for name, sha256, *_ in known) else None
    except (OSError, ValueError):
        return None


@memo
def _recipe() -> str:
    code = b"".join(Path(module.__file__).read_bytes() for module in (render, sound, preencoded, ffmpeg))
    return hashlib.sha256(code).hexdigest() + "".join(version(name) for name in ("soxr", "soundfile"))
