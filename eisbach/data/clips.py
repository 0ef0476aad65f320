"""The audio of a corpus: one uncompressed tar of FLAC files, or NumPy files of latents, named by clip_id."""

import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eisbach.errors import UserError
from eisbach.files import replacing


@dataclass(frozen=True)
class Encoded:
    """A clip that came as latents [C, T], float32."""

    latents: np.ndarray


def write(clips: Iterable[tuple[str, Path]], path: str | Path) -> None:
    """Pack (clip_id, file) in the order given; no times or owners, so equal clips give equal bytes."""
    with replacing(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
        for clip_id, file in clips:
            content = file.read_bytes()
            member = tarfile.TarInfo(f"{clip_id}{file.suffix}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def read(path: str | Path) -> Iterator[tuple[str, np.ndarray | Encoded]]:
    """Yield (clip_id, audio [2, samples] float32 in [-1, 1]) in the order of the tar; mono is doubled.

    A clip that came as latents is an Encoded instead.

    Raises UserError for a missing or damaged archive and for an audio file that cannot be read.
    """
    try:
        with tarfile.open(path, "r|") as archive:
            for member in archive:
                content, name = archive.extractfile(member).read(), Path(member.name)
                if name.suffix == ".npy":
                    yield name.stem, Encoded(np.load(io.BytesIO(content), allow_pickle=False))
                else:
                    yield name.stem, decode(content, f"{member.name} in {path}")
    except FileNotFoundError:
        raise UserError(f"the clips {path} are missing; run `dvc repro prepare`") from None
    except tarfile.TarError as error:
        raise UserError(f"the clips {path} are damaged ({error}); run `dvc repro -f prepare`") from error


def decode(content: bytes, name: str) -> np.ndarray:
    """Audio [2, samples] float32 of an audio file's bytes; `name` is for the error."""
    import soundfile

    try:
        audio, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UserError(f"the audio file {name} cannot be read ({error}); replace it and run again") from error
    return np.repeat(audio.T, 2, axis=0) if audio.shape[1] == 1 else np.ascontiguousarray(audio.T[:2])
