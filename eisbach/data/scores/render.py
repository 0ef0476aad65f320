"""MIDI to sound: a soundfont plays it, loudness is equalised, FLAC comes out, cached by content."""

import hashlib
import io
import json
from functools import cache as memo
from importlib.metadata import version
from pathlib import Path

import numpy as np

from eisbach.errors import UserError
from eisbach.files import replacing

SAMPLE_RATE = 44100
RMS_DB = -26.0  # of every clip as a whole, relative to full scale: contrast and mean energy are kept apart
PEAK_DB = -0.1  # a clip whose peak would go beyond is made softer instead; its rms_db says so
FADE_SECONDS = 0.02
WINDOW_SECONDS, HOP_SECONDS = 0.4, 0.1  # of momentary loudness
FLOOR_DB = -90.0


def soundfont(path: str) -> Path:
    """The soundfont to use; an empty path means the one that pretty_midi carries. Raises UserError if unreadable."""
    from importlib.util import find_spec

    found = Path(path) if path else Path(find_spec("pretty_midi").origin).with_name("TimGM6mb.sf2")
    try:
        with found.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise UserError(
            f"the soundfont {found} cannot be read ({error.strerror}); set 'prepare.corpus.soundfont' in params.yaml "
            "to an .sf2 file, or to '' for the one that pretty_midi carries"
        ) from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise UserError(
            f"{found} is no soundfont (an .sf2 file begins RIFF....sfbk); correct 'prepare.corpus.soundfont'"
        )
    return found


def clip(midi: bytes, seconds: float, font: Path, cache: Path) -> tuple[Path, dict]:
    """Where the FLAC of this MIDI file lies in the cache, rendered unless it is there, and what was measured on it."""
    parts = (midi, _read(font)[1].encode(), str(seconds).encode(), Path(__file__).read_bytes(), _versions())
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()
    path = cache / "clips" / key[:2] / f"{key}.flac"
    facts = path.with_suffix(".json")
    if path.exists() and facts.exists():
        known = json.loads(facts.read_text())
        if known["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest():
            return path, known
    audio = equalise(synthesise(midi, seconds, font))
    content = to_flac(audio)
    known = {"sha256": hashlib.sha256(content).hexdigest(), **measure(audio)}
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    with replacing(facts) as temporary:
        temporary.write_text(json.dumps(known))
    return path, known


def synthesise(midi: bytes, seconds: float, font: Path) -> np.ndarray:
    """Sound of a MIDI file, [2, samples] float64, exactly `seconds` long, with short fades at both ends."""
    import soundfile
    import soxr
    from midirenderer import render_wave_from

    try:
        wave = render_wave_from(_read(font)[0], midi)
    except Exception as error:
        raise UserError(
            f"the soundfont {font} cannot be played ({error}); change 'prepare.corpus.soundfont'"
        ) from error
    audio, rate = soundfile.read(io.BytesIO(wave), always_2d=True)
    audio = soxr.resample(audio, rate, SAMPLE_RATE).T
    length = round(seconds * SAMPLE_RATE)
    audio = np.pad(audio[:, :length], ((0, 0), (0, max(0, length - audio.shape[1]))))
    ramp = np.minimum(np.arange(length) / (FADE_SECONDS * SAMPLE_RATE), 1)
    return audio * ramp * ramp[::-1]


def equalise(audio: np.ndarray) -> np.ndarray:
    """Scaled to an RMS of RMS_DB, or, where the peak would clip, to a peak of PEAK_DB. Shape [2, samples]."""
    rms, peak = np.sqrt(np.mean(audio**2)), np.abs(audio).max()
    if peak == 0:
        return audio
    return audio * min(_gain(RMS_DB) / rms, _gain(PEAK_DB) / peak)


def rms_db(audio: np.ndarray) -> float:
    """RMS of audio of any shape relative to full scale, at least FLOOR_DB."""
    return round(float(_db(np.mean(audio**2))), 3)


def measure(audio: np.ndarray) -> dict[str, float]:
    """RMS and peak relative to full scale, and the range of momentary loudness (95th less 10th percentile), in dB."""
    momentary = loudness(audio)
    return {
        "rms_db": rms_db(audio),
        "peak_db": round(float(_db(np.abs(audio).max() ** 2)), 3),
        "loudness_range_db": round(float(np.subtract(*np.percentile(momentary, (95, 10)))), 3),
    }


def loudness(audio: np.ndarray) -> np.ndarray:
    """Momentary level in dB: RMS over both channels and WINDOW_SECONDS, every HOP_SECONDS. [2, samples] -> [frames]."""
    window, hop = round(WINDOW_SECONDS * SAMPLE_RATE), round(HOP_SECONDS * SAMPLE_RATE)
    energy = np.concatenate([[0.0], np.cumsum(np.mean(audio**2, axis=0))])
    starts = np.arange(0, max(audio.shape[1] - window, 0) + 1, hop)
    return _db((energy[np.minimum(starts + window, audio.shape[1])] - energy[starts]) / window)


def to_flac(audio: np.ndarray) -> bytes:
    """16-bit FLAC at SAMPLE_RATE of audio [2, samples]."""
    import soundfile

    written = io.BytesIO()
    soundfile.write(written, audio.T, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return written.getvalue()


@memo
def _read(font: Path) -> tuple[bytes, str]:
    content = font.read_bytes()
    return content, hashlib.sha256(content).hexdigest()


@memo
def _versions() -> bytes:
    return " ".join(version(name) for name in ("midirenderer", "soxr", "soundfile")).encode()


def _db(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))


def _gain(db: float) -> float:
    return 10 ** (db / 20)
