"""Render MIDI with a soundfont to FLAC clips of one level, cached by content."""

import hashlib
import io
import json
from functools import cache as memo
from importlib.metadata import version
from pathlib import Path

import numpy as np

from eisbach.data import audio
from eisbach.data.clips import SAMPLE_RATE
from eisbach.errors import UserError
from eisbach.metrics import loudness
from eisbach.pipeline.files import replacing

FADE_SECONDS = 0.02


def soundfont(path: str) -> Path:
    """The soundfont at `path`; an empty path means the one that pretty_midi ships.

    Raises UserError when the file cannot be read or is no soundfont.
    """
    from importlib.util import find_spec

    font = Path(path) if path else Path(find_spec("pretty_midi").origin).with_name("TimGM6mb.sf2")
    try:
        with font.open("rb") as file:
            header = file.read(12)
    except OSError as error:
        raise UserError(
            f"the soundfont {font} cannot be read ({error.strerror}); set 'prepare.corpus.soundfont' in params.yaml "
            "to an .sf2 file, or to '' for the one that pretty_midi ships"
        ) from error
    if header[:4] != b"RIFF" or header[8:] != b"sfbk":
        raise UserError(
            f"{font} is not a soundfont (an .sf2 file begins with RIFF....sfbk); correct 'prepare.corpus.soundfont' "
            "in params.yaml"
        )
    return font


def clip(midi: bytes, seconds: float, font: Path, cache: Path) -> tuple[Path, dict]:
    """Render a MIDI file unless the cache has it. Returns the FLAC's path in the cache and the clip's measurements.

    The measurements are the file's sha256 and `audio.measure_levels`. Raises UserError when the soundfont cannot be
    played.
    """
    code = [Path(file).read_bytes() for file in (__file__, audio.__file__, loudness.__file__)]
    parts = (midi, _read(font)[1].encode(), str(seconds).encode(), *code, _versions())
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()
    path = cache / "clips" / key[:2] / f"{key}.flac"
    sidecar = path.with_suffix(".json")
    if path.exists() and sidecar.exists():
        facts = json.loads(sidecar.read_text())
        if facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest():
            return path, facts
    sound = audio.normalise(synthesise(midi, seconds, font))
    content = audio.to_flac(sound)
    facts = {"sha256": hashlib.sha256(content).hexdigest(), **audio.measure_levels(sound)}
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    with replacing(sidecar) as temporary:
        temporary.write_text(json.dumps(facts))
    return path, facts


def synthesise(midi: bytes, seconds: float, font: Path) -> np.ndarray:
    """Audio [2, samples] float64 of a MIDI file, exactly `seconds` long, with short fades at both ends."""
    import soundfile
    import soxr
    from midirenderer import render_wave_from

    try:
        wave = render_wave_from(_read(font)[0], midi)
    except Exception as error:
        raise UserError(
            f"the soundfont {font} cannot be played ({error}); set 'prepare.corpus.soundfont' in params.yaml to another"
        ) from error
    sound, rate = soundfile.read(io.BytesIO(wave), always_2d=True)
    sound = soxr.resample(sound, rate, SAMPLE_RATE).T
    length = round(seconds * SAMPLE_RATE)
    sound = np.pad(sound[:, :length], ((0, 0), (0, max(0, length - sound.shape[1]))))
    ramp = np.minimum(np.arange(length) / (FADE_SECONDS * SAMPLE_RATE), 1)
    return sound * ramp * ramp[::-1]


@memo
def _read(font: Path) -> tuple[bytes, str]:
    content = font.read_bytes()
    return content, hashlib.sha256(content).hexdigest()


@memo
def _versions() -> bytes:
    return " ".join(version(name) for name in ("midirenderer", "soxr", "soundfile")).encode()
