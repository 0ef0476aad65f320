"""Clips from audio files: 44.1 kHz stereo FLAC, all of one level.

Long files are cut into consecutive clips; the remainder becomes a shorter clip. Each clip is brought to the level of
the rendered corpus, so that mean level and contrast stay separate; its original level is kept in `source_rms_db`.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eisbach.data import audio
from eisbach.data.clips import SAMPLE_RATE
from eisbach.data.recorded import ffmpeg
from eisbach.data.recorded.types import ClipFile, Rules, Unusable

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aiff", ".aif")
BY_FFMPEG = ".m4a"  # libsndfile does not decode it
LEAST_RATE = 8000  # Hz, the rate of telephony
MARGIN_SECONDS = 1  # resampled on both sides of a clip; an integer, so that it is whole samples at any rate


def clip_files(path: Path, rules: Rules) -> Iterator[ClipFile]:
    """Yield the clips of an audio file that are long and loud enough, in its order. Raises Unusable."""
    if path.suffix.lower() != BY_FFMPEG:
        yield from _clip_files(path, rules)
        return
    with tempfile.TemporaryDirectory(prefix="eisbach-") as scratch:
        wave = Path(scratch) / "decoded.wav"
        if message := ffmpeg.decode(path, wave):
            raise Unusable("unreadable", message)
        yield from _clip_files(wave, rules)


def _clip_files(path: Path, rules: Rules) -> Iterator[ClipFile]:
    import soundfile

    if not path.stat().st_size:
        raise Unusable("unreadable", "the file is empty")
    silent = True
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:  # bytes, for names that are not UTF-8
            _check_header(file, rules)
            for start, sound in _windows(file, rules):
                if clip := _clip_file(start, sound, rules):
                    silent = False
                    yield clip
    except soundfile.LibsndfileError as error:
        raise Unusable("unreadable", error.error_string.strip().rstrip(".")) from error
    if silent:
        raise Unusable("silent", f"the RMS is below {rules.silence_db:g} dB everywhere")


def _clip_file(start: float, sound: np.ndarray, rules: Rules) -> ClipFile | None:
    """The clip of audio [2, samples] at SAMPLE_RATE, or None where it is silent."""
    source_level = audio.rms_db(sound)
    if source_level < rules.silence_db:
        return None
    normalised = audio.normalise(sound)
    facts = {"source_rms_db": source_level, **audio.measure_levels(normalised)}
    return ClipFile("flac", audio.to_flac(normalised), start, sound.shape[1] / SAMPLE_RATE, facts)


def _check_header(file, rules: Rules) -> None:
    if file.channels > 2:
        raise Unusable("channels", f"{file.channels} channels: mix the file down to stereo")
    if file.samplerate < LEAST_RATE:
        raise Unusable("rate", f"{file.samplerate} Hz: at least {LEAST_RATE} are needed")
    if cut_off := re.search(r"(?:data|SSND) : (\d+) \(should be (\d+)\)", file.extra_info):
        claimed, present = map(int, cut_off.groups())
        if present + 1 < claimed < 2**32 - 256:  # a recording that was never closed claims about 2^32
            raise Unusable("truncated", f"{present} of {claimed} bytes of audio are present")
    if file.frames < rules.least_seconds * file.samplerate:
        raise Unusable("short", f"{file.frames / file.samplerate:.3g} s: at least {rules.least_seconds:g} are needed")


def _windows(file, rules: Rules) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (start in seconds, audio [2, samples] at SAMPLE_RATE) of every clip that is long enough."""
    import soxr

    rate, margin = file.samplerate, MARGIN_SECONDS * file.samplerate
    for index in range(1 + int(file.frames / rate / rules.seconds)):
        start, end = (min(round(edge * rules.seconds * rate), file.frames) for edge in (index, index + 1))
        if end - start < rules.least_seconds * rate:
            continue
        before = min(margin, start // rate * rate)
        sound = _read(file, start - before, min(end + margin, file.frames))
        if rate != SAMPLE_RATE:
            sound = soxr.resample(sound, rate, SAMPLE_RATE)
        first = before // rate * SAMPLE_RATE
        sound = sound[first : first + round((end - start) / rate * SAMPLE_RATE)].T
        yield start / rate, np.repeat(sound, 2, axis=0) if len(sound) == 1 else sound


def _read(file, start: int, end: int) -> np.ndarray:
    """Frames [start, end) as float32 [frames, channels]. Raises Unusable when they are missing or not finite."""
    file.seek(start)
    sound = file.read(end - start, dtype="float32", always_2d=True)
    if len(sound) < end - start:
        raise Unusable("truncated", f"the file ends after {start + len(sound)} of {file.frames} samples")
    if not np.isfinite(sound).all():
        index = start + int(np.argmax(~np.isfinite(sound).all(axis=1)))
        raise Unusable("not finite", f"sample {index} is not finite")
    return sound
