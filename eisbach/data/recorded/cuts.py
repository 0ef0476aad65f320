"""Cut files into clips and cache them by the file's content, the rules and the code that cuts."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache as memo
from importlib.metadata import version
from pathlib import Path

from eisbach.data import audio
from eisbach.data.recorded import decoding, ffmpeg, measured_contrast, preencoded
from eisbach.data.recorded.types import ClipFile, Rules, Unusable
from eisbach.metrics import loudness
from eisbach.pipeline.files import replacing


@dataclass(frozen=True)
class Clip:
    """One clip in the cache."""

    path: Path
    sha256: str
    start_seconds: float  # in the source file
    seconds: float
    facts: dict[str, float]  # measured on the clip


def digest(path: Path) -> str:
    """The sha256 of a file. Raises OSError."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def try_digest(path: Path) -> str | Unusable:
    """The sha256 of a file, or the fault as a value."""
    try:
        return digest(path)
    except OSError as error:
        return Unusable("unreadable", f"the file cannot be opened: {error.strerror}")


def try_cut(task: tuple[Path, str], rules: Rules, cache: Path) -> list[Clip] | Unusable:
    """`cut` of (path, sha256), or the fault as a value, so that other worker processes go on."""
    try:
        return cut(*task, rules, cache)
    except Unusable as fault:
        return fault


def cut(path: Path, sha256: str, rules: Rules, cache: Path) -> list[Clip]:
    """The clips of a file, cut unless the cache has them. Raises Unusable when the file gives none."""
    description = digest(path.with_suffix(".json")) if path.suffix == preencoded.SUFFIX else ""
    key = hashlib.sha256(f"{sha256}{description}{path.suffix.lower()}{rules}{_recipe()}".encode()).hexdigest()
    folder = cache / "cuts" / key[:2] / key
    index = _cached(folder)
    if index is None:
        with replacing(folder) as temporary:
            temporary.mkdir()
            index = [_write(temporary, number, clip) for number, clip in enumerate(_clip_files(path, rules))]
            (temporary / "clips.json").write_text(json.dumps(index))
    return [Clip(folder / name, *rest) for name, *rest in index]


def _clip_files(path: Path, rules: Rules) -> Iterator[ClipFile]:
    reader = preencoded if path.suffix == preencoded.SUFFIX else decoding
    return reader.clip_files(path, rules)


def _write(folder: Path, number: int, clip: ClipFile) -> list:
    name = f"{number:05d}.{clip.suffix}"
    (folder / name).write_bytes(clip.content)
    return [name, hashlib.sha256(clip.content).hexdigest(), clip.start_seconds, clip.seconds, clip.facts]


def _cached(folder: Path) -> list | None:
    """The content of clips.json if all its clips are present and intact, else None."""
    try:
        index = json.loads((folder / "clips.json").read_text())
        return index if all(digest(folder / name) == sha256 for name, sha256, *_ in index) else None
    except (OSError, ValueError):
        return None


@memo
def _recipe() -> str:
    """Hash of the code that makes clips, and the versions of its libraries."""
    modules = (audio, decoding, ffmpeg, loudness, measured_contrast, preencoded)
    code = b"".join(Path(module.__file__).read_bytes() for module in modules)
    return hashlib.sha256(code).hexdigest() + "".join(version(name) for name in ("soxr", "soundfile"))
