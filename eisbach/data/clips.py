"""The clips of a corpus in one uncompressed tar, named by clip_id: stereo FLAC files, or NumPy files of latents."""

import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eisbach.errors import UserError
from eisbach.pipeline import paths
from eisbach.pipeline.files import replacing

SAMPLE_RATE = 44100  # Hz, of every corpus


@dataclass(frozen=True)
class LatentClip:
    """A clip that is stored as latents [C, T], float32, instead of audio."""

    latents: np.ndarray


def write(clips: Iterable[tuple[str, Path]], path: str | Path) -> None:
    """Pack (clip_id, file) in the given order. Without times and owners, so equal clips give equal bytes."""
    with replacing(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
        for clip_id, file in clips:
            content = file.read_bytes()
            member = tarfile.TarInfo(f"{clip_id}{file.suffix}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def read(path: str | Path) -> Iterator[tuple[str, np.ndarray | LatentClip]]:
    """Yield (clip_id, clip) in the order of the tar.

    A clip is audio [2, samples] float32 in [-1, 1], mono doubled, or a LatentClip. Raises UserError for a missing or
    damaged archive and for an audio file that cannot be read.
    """
    try:
        with tarfile.open(path, "r|") as archive:
            for member in archive:
                content, name = archive.extractfile(member).read(), Path(member.name)
                if name.suffix == ".npy":
                    yield name.stem, LatentClip(np.load(io.BytesIO(content), allow_pickle=False))
                else:
                    yield name.stem, _decode(content, f"{member.name} in {path}")
    except FileNotFoundError:
        raise paths.missing(path) from None
    except (tarfile.TarError, EOFError) as error:
        raise paths.damaged(path, error) from error


def _decode(content: bytes, name: str) -> np.ndarray:
    """Audio [2, samples] float32 from the bytes of the audio file `name`."""
    import soundfile

    try:
        audio, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UserError(f"the audio file {name} cannot be read ({error}); run `dvc repro -f prepare`") from error
    return np.repeat(audio.T, 2, axis=0) if audio.shape[1] == 1 else np.ascontiguousarray(audio.T[:2])
