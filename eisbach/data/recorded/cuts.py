"""Cut files into clips and cache them by the file's content, the rules and the code that cuts."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache as memo
from importlib.metadata import version
from pathlib import Path

from eisbach.data import audio
from eisbach.data.recorded import containers, decoding, ffmpeg, level, measured_contrast, preencoded, text
from eisbach.data.recorded.types import ClipFile, Remark, Rules, Unusable
from eisbach.metrics import loudness
from eisbach.pipeline.files import replacing


@dataclass(frozen=True)
class Clip:
    """One clip in the cache."""

    path: Path
    sha256: str
    start_seconds: float  # in the source file
    seconds: float
    facts: dict[str, float | str]  # measured on the clip


@dataclass(frozen=True)
class Cut:
    """The clips of one file, and what the status table says of it."""

    clips: list[Clip]
    remarks: list[Remark]


def digest(path: Path) -> str:
    """The sha256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def try_digest(path: Path) -> str | Unusable:
    """The sha256 of a file, or the fault as a value."""
    try:
        return digest(path)
    except OSError as error:
        return Unusable("unreadable", f"the file cannot be opened: {error.strerror}")


def try_cut(task: tuple[Path, str], rules: Rules, cache: Path) -> Cut | Unusable:
    """`cut` of (path, sha256), or the fault as a value, so that other worker processes go on."""
    try:
        return cut(*task, rules, cache)
    except Unusable as fault:
        return fault


def cut(path: Path, sha256: str, rules: Rules, cache: Path) -> Cut:
    """The clips of a file, cut unless the cache has them. Raises Unusable when the file gives none."""
    of_latents = path.suffix.lower() == preencoded.SUFFIX
    description = digest(path.with_suffix(".json")) if of_latents else ""
    key = hashlib.sha256(f"{sha256}{description}{path.suffix.lower()}{rules}{_recipe()}".encode()).hexdigest()
    folder = cache / "cuts" / key[:2] / key
    index = _cached(folder)
    if index is None:
        with replacing(folder) as temporary:
            temporary.mkdir()
            index = _write(temporary, (preencoded if of_latents else decoding).clip_files(path, rules))
            (temporary / "clips.json").write_text(json.dumps(index))
    made = [Clip(folder / name, *rest) for name, *rest in index["clips"]]
    return Cut(made, [Remark(*remark) for remark in index["remarks"]])


def _write(folder: Path, items: Iterator[ClipFile | Remark]) -> dict[str, list]:
    """Write the clips' files into `folder`; returns the content of clips.json."""
    index: dict[str, list] = {"clips": [], "remarks": []}
    for item in items:
        if isinstance(item, Remark):
            index["remarks"].append([item.reason, item.lost_seconds])
            continue
        name = f"{len(index['clips']):05d}.{item.suffix}"
        (folder / name).write_bytes(item.content)
        sha256 = hashlib.sha256(item.content).hexdigest()
        index["clips"].append([name, sha256, item.start_seconds, item.seconds, item.facts])
    return index


def _cached(folder: Path) -> dict[str, list] | None:
    """The content of clips.json if all its clips are present and intact, else None."""
    try:
        index = json.loads((folder / "clips.json").read_text())
        return index if all(digest(folder / name) == sha256 for name, sha256, *_ in index["clips"]) else None
    except (OSError, ValueError):
        return None


@memo
def _recipe() -> str:
    """Hash of the code that makes clips, and the versions of its libraries."""
    modules = (audio, containers, decoding, ffmpeg, level, loudness, measured_contrast, preencoded, text)
    code = b"".join(Path(module.__file__).read_bytes() for module in modules)
    return hashlib.sha256(code).hexdigest() + "".join(version(name) for name in ("imageio-ffmpeg", "soxr", "soundfile"))
