"""Audio and pictures for the listening page: every arm's sample of the same prompt and noise, for one seed.

Files are named by the hash of their content, so that a file's name does not reveal its arm to a blind listener.
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

BLOCKS_PER_SECOND = 10.0  # of the self-similarity matrix; the latents have about as many positions per second
FLOOR_DB = -70.0  # black in the spectrograms, relative to the loudest cell of a prompt's row
MELS, HOP = 96, 1024
UNREADABLE = (OSError, ValueError, soundfile.SoundFileError)


@dataclass(frozen=True)
class Take:
    """One arm's sample of a prompt. `audio`, `spectrogram` and `similarity` are paths relative to the report."""

    arm: str
    seconds: float
    audio: str
    spectrogram: str
    similarity: str


@dataclass(frozen=True)
class Row:
    """A prompt and the samples of all arms."""

    number: int  # from 1
    caption: str
    takes: tuple[Take, ...]


@dataclass(frozen=True)
class Distances:
    """How far the samples of a seed are apart, rms of log-mel spectra in dB: each arm's from the baseline's with the
    same prompt and noise, and the baseline's from its own with another noise (None where it was not measured)."""

    arms: dict[str, float]
    noise: float | None


def distances(outcomes: pd.DataFrame, seed: int) -> Distances | None:
    """From the table of outcomes; None where no distance of this seed was measured."""
    own = outcomes[outcomes["seed"] == seed].set_index(["metric", "arm"])["value"]
    measured = own.index.get_level_values("metric")
    if "sample_distance_db/baseline" not in measured:
        return None
    arms = own["sample_distance_db/baseline"].drop("baseline").sort_values()
    noise = own.get(("sample_distance_db/noise", "baseline"))
    return Distances(arms.to_dict(), None if noise is None else float(noise))


def rows(made: pd.DataFrame, folder: Path, report: Path, missing: list[str]) -> list[Row]:
    """Write audio (MP3, mono) and pictures (PNG) into `report` and return the rows in the order of the prompts.

    `made` has the columns `arm`, `prompt`, `caption` and `file`, for one seed whose audio lies in `folder`. A file that
    cannot be read, or whose name leads out of `folder`, is left out, and `missing` gets a sentence about it.
    """
    (report / "audio").mkdir(parents=True, exist_ok=True)
    prompts = list(made.groupby("prompt", sort=True))
    found = [
        _row(number, table, folder, report, missing)
        for number, (_, table) in enumerate(track(prompts, "listening page", len(prompts)), 1)
    ]
    return [row for row in found if row.takes]


def _row(number: int, table: pd.DataFrame, folder: Path, report: Path, missing: list[str]) -> Row:
    sounds = {}
    for row in table.itertuples():
        try:
            sounds[row.arm] = _read(inside(folder, str(row.file)))
        except UNREADABLE:
            missing.append(f"Prompt {number} of arm {row.arm} cannot be played: its file cannot be read.")
    levels = {arm: _mel_db(*sound) for arm, sound in sounds.items()}
    top = max((level.max() for level in levels.values()), default=0.0)
    takes = tuple(_take(arm, *sound, levels[arm], top, report) for arm, sound in sounds.items())
    return Row(number, str(table["caption"].iloc[0]), takes)


def take(name: str, path: Path, report: Path) -> Take:
    """Write the audio file at `path` and its pictures into `report`; `name` stands for the arm.

    Raises one of UNREADABLE when the file cannot be read.
    """
    sound = _read(path)
    levels = _mel_db(*sound)
    (report / "audio").mkdir(parents=True, exist_ok=True)
    return _take(name, *sound, levels, levels.max(), report)


def inside(folder: Path, name: str) -> Path:
    """The path of the file `name` in `folder`. Raises ValueError when it lies outside."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name} lies outside {folder}")
    return path


def _take(arm: str, audio: np.ndarray, rate: int, levels: np.ndarray, top: float, report: Path) -> Take:
    """Write one take; `top` is the level in dB that the spectrogram draws in the brightest colour."""
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
    """Mel spectrogram `[MELS, frames]` in dB relative to power 1, the same reference for all arms of a row."""
    power = librosa.feature.melspectrogram(y=audio, sr=rate, n_fft=2 * HOP, hop_length=HOP, n_mels=MELS)
    return librosa.power_to_db(power, ref=1.0, top_db=None)


def similarity(levels: np.ndarray, rate: int) -> np.ndarray:
    """Cosine similarity of all pairs of blocks, `[n, n]`, mapped from [-1, 1] to [0, 1].

    `levels` is a mel spectrogram `[MELS, frames]` in dB of audio at `rate` Hz. A block is the mean over a tenth of a
    second, less the mean spectrum of the whole clip.
    """
    width = max(1, round(rate / HOP / BLOCKS_PER_SECOND))
    count = max(1, levels.shape[1] // width)
    blocks = levels[:, : count * width].reshape(MELS, count, -1).mean(-1)
    blocks = blocks - blocks.mean(1, keepdims=True)
    lengths = np.linalg.norm(blocks, axis=0)
    blocks = blocks / np.where(lengths > 0, lengths, 1)
    return (blocks.T @ blocks + 1) / 2


def _picture(values: np.ndarray, colours: str, size: tuple[int, int]) -> bytes:
    """A PNG of `values` `[rows, columns]` in [0, 1], in the 256 colours of a Matplotlib colour map."""
    image = Image.fromarray(np.uint8(np.clip(values, 0, 1) * 255)).resize(size, Image.Resampling.BILINEAR)
    image = image.convert("P")
    image.putpalette(np.uint8(matplotlib.colormaps[colours](np.arange(256))[:, :3] * 255).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _mp3(audio: np.ndarray, rate: int) -> bytes:
    """MP3, which every browser plays. Levels are not normalised, because dynamics are among the claims."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(audio, -1, 1), rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.4)
    return buffer.getvalue()


def _saved(report: Path, content: bytes, kind: str) -> str:
    """Write `content` into the report's folder audio/ and return its path relative to the report."""
    name = f"audio/{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
    (report / name).write_bytes(content)
    return name
