"""Samples side by side: the same prompt and noise through every arm of one seed, to hear and to see.

Files are named by their content, so that neither a player nor a saved file tells which arm it is while ears decide.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import librosa
import matplotlib
import numpy as np
import pandas as pd
import soundfile
from PIL import Image

from eisbach.pipeline.progress import track

FRAMES_PER_SECOND = 10.0  # of the self-similarity matrix, near the latents' rate
FLOOR_DB = -70.0  # below the loudest cell of a prompt's row: black
MELS, HOP = 96, 1024
UNREADABLE = (OSError, ValueError, soundfile.SoundFileError)


@dataclass(frozen=True)
class Take:
    """One arm's answer to a prompt; `audio`, `spectrogram` and `similarity` are paths within the report."""

    arm: str
    seconds: float
    audio: str
    spectrogram: str
    similarity: str


@dataclass(frozen=True)
class Row:
    """A prompt and what every arm made of it."""

    number: int  # from 1
    caption: str
    takes: tuple[Take, ...]


def rows(made: pd.DataFrame, folder: Path, report: Path, missing: list[str]) -> list[Row]:
    """Write audio (MP3, mono) and pictures (PNG) into `report` and return the rows in the order of the prompts.

    `made` lists `arm`, `prompt`, `caption`, `file` of one seed, whose audio lies in `folder`. What cannot be read, or
    has a name that points out of `folder`, is left out and said in `missing`.
    """
    (report / "audio").mkdir(parents=True, exist_ok=True)
    prompts = list(made.groupby("prompt", sort=True))
    found = [
        _row(number, table, folder, report, missing)
        for number, (_, table) in enumerate(track(prompts, "listening page", len(prompts)), 1)
    ]
    return [row for row in found if row.takes]


def _row(number: int, table: pd.DataFrame, folder: Path, report: Path, missing: list[str]) -> Row:
    heard = {}
    for row in table.itertuples():
        try:
            heard[row.arm] = _read(inside(folder, str(row.file)))
        except UNREADABLE:
            missing.append(f"Prompt {number} of arm {row.arm} cannot be heard: its file cannot be read.")
    levels = {arm: _mel_db(*sound) for arm, sound in heard.items()}
    top = max((level.max() for level in levels.values()), default=0.0)
    takes = tuple(_take(arm, *sound, levels[arm], top, report) for arm, sound in heard.items())
    return Row(number, str(table["caption"].iloc[0]), takes)


def take(name: str, path: Path, report: Path) -> Take:
    """One sound file under this name, written into `report`. Raises one of UNREADABLE."""
    sound = _read(path)
    levels = _mel_db(*sound)
    (report / "audio").mkdir(parents=True, exist_ok=True)
    return _take(name, *sound, levels, levels.max(), report)


def inside(folder: Path, name: str) -> Path:
    """The file of this name in the folder. Raises ValueError for a name that leads out of it."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name} lies outside its folder")
    return path


def _take(arm: str, audio: np.ndarray, rate: int, levels: np.ndarray, top: float, report: Path) -> Take:
    """`top` is the level in dB of the brightest colour."""
    spectrogram = np.flipud((levels - top - FLOOR_DB) / -FLOOR_DB)
    return Take(
        arm,
        len(audio) / rate,
        _saved(report, _mp3(audio, rate), "mp3"),
        _saved(report, _picture(spectrogram, "magma", (320, MELS)), "png"),
        _saved(report, _picture(similarity(levels, rate), "viridis", (160, 160)), "png"),
    )


def _read(path: Path) -> tuple[np.ndarray, int]:
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if not len(audio):
        raise ValueError(f"{path.name} is empty")
    return np.nan_to_num(audio.mean(1)), rate


def _mel_db(audio: np.ndarray, rate: int) -> np.ndarray:
    """Mel spectrogram in dB, [MELS, frames]; no reference of its own, so that the arms of a row can be compared."""
    power = librosa.feature.melspectrogram(y=audio, sr=rate, n_fft=2 * HOP, hop_length=HOP, n_mels=MELS)
    return librosa.power_to_db(power, ref=1.0, top_db=None)


def similarity(levels: np.ndarray, rate: int) -> np.ndarray:
    """Cosine similarity of all pairs of moments, [n, n] in [0, 1]: the mean spectrum is taken out first.

    `levels` is [MELS, frames] in dB; moments are means over a tenth of a second.
    """
    width = max(1, round(rate / HOP / FRAMES_PER_SECOND))
    count = max(1, levels.shape[1] // width)
    moments = levels[:, : count * width].reshape(MELS, count, -1).mean(-1)
    moments = moments - moments.mean(1, keepdims=True)
    lengths = np.linalg.norm(moments, axis=0)
    moments = moments / np.where(lengths > 0, lengths, 1)
    return (moments.T @ moments + 1) / 2


def _picture(values: np.ndarray, colours: str, size: tuple[int, int]) -> bytes:
    """A PNG of `values` in [0, 1] in a palette of 256 colours."""
    image = Image.fromarray(np.uint8(np.clip(values, 0, 1) * 255)).resize(size, Image.Resampling.BILINEAR)
    image = image.convert("P")
    image.putpalette(np.uint8(matplotlib.colormaps[colours](np.arange(256))[:, :3] * 255).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _mp3(audio: np.ndarray, rate: int) -> bytes:
    """Every browser plays MP3; levels are left as they are, since dynamics are part of what is judged."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(audio, -1, 1), rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.4)
    return buffer.getvalue()


def _saved(report: Path, content: bytes, kind: str) -> str:
    name = f"audio/{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
    (report / name).write_bytes(content)
    return name
