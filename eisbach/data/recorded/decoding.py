"""A file of recorded music -> equally loud clips of 44.1 kHz stereo.

Long files are cut into clips one after the other; what is left at the end is a shorter clip. Each clip is brought to
the level of the rendered corpus, so that loudness and contrast stay apart; its own level is kept in the facts.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eisbach.data.recorded import ffmpeg
from eisbach.data.recorded.material import Piece, Rules, Unusable
from eisbach.data.scores import render

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aiff", ".aif")
BY_FFMPEG = ".m4a"  # which libsndfile does not open
LEAST_RATE = 8000  # Hz, a telephone's
MARGIN_SECONDS = 1  # around a clip while it is resampled: whole, so that it is a number of samples at any rate


def pieces(path: Path, rules: Rules) -> Iterator[Piece]:
    """The clips of an audio file that are long and loud enough, in its order. Raises Unusable."""
    if path.suffix.lower() != BY_FFMPEG:
        yield from _pieces(path, rules)
        return
    with tempfile.TemporaryDirectory(prefix="eisbach-") as scratch:
        wave = Path(scratch) / "decoded.wav"
        if said := ffmpeg.decode(path, wave):
            raise Unusable("unreadable", said)
        yield from _pieces(wave, rules)


def _pieces(path: Path, rules: Rules) -> Iterator[Piece]:
    import soundfile

    if not path.stat().st_size:
        raise Unusable("unreadable", "the file is empty")
    heard = False
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:  # bytes, for names that are not UTF-8
            _check_header(file, rules)
            for start, audio in _windows(file, rules):
                if piece := _piece(start, audio, rules):
                    heard = True
                    yield piece
    except soundfile.LibsndfileError as error:
        raise Unusable("unreadable", error.error_string.strip().rstrip(".")) from error
    if not heard:
        raise Unusable("silent", f"never above {rules.silence_db:g} dB")


def _piece(start: float, audio: np.ndarray, rules: Rules) -> Piece | None:
    own_level = render.rms_db(audio)
    if own_level < rules.silence_db:
        return None
    equal = render.equalise(audio)
    seconds = audio.shape[1] / render.SAMPLE_RATE
    return Piece("flac", render.to_flac(equal), start, seconds, {"source_rms_db": own_level, **render.measure(equal)})


def _check_header(file, rules: Rules) -> None:
    if file.channels > 2:
        raise Unusable("channels", f"{file.channels} channels: mix it down to stereo")
    if file.samplerate < LEAST_RATE:
        raise Unusable("rate", f"{file.samplerate} Hz: at least {LEAST_RATE} are needed")
    if cut_off := re.search(r"(?:data|SSND) : (\d+) \(should be (\d+)\)", file.extra_info):
        claimed, there = map(int, cut_off.groups())
        if there + 1 < claimed < 2**32 - 256:  # a stream that never learned its length claims about 2^32
            raise Unusable("truncated", f"{there} of {claimed} bytes of sound are there")
    if file.frames < rules.least_seconds * file.samplerate:
        raise Unusable("short", f"{file.frames / file.samplerate:.3g} s: at least {rules.least_seconds:g} are needed")


def _windows(file, rules: Rules) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (start in seconds, audio [2, samples] at 44.1 kHz) of every stretch of the file that is long enough."""
    import soxr

    rate, margin = file.samplerate, MARGIN_SECONDS * file.samplerate
    for place in range(1 + int(file.frames / rate / rules.seconds)):
        start, end = (min(round(edge * rules.seconds * rate), file.frames) for edge in (place, place + 1))
        if end - start < rules.least_seconds * rate:
            continue
        before = min(margin, start // rate * rate)
        audio = _read(file, start - before, min(end + margin, file.frames))
        if rate != render.SAMPLE_RATE:
            audio = soxr.resample(audio, rate, render.SAMPLE_RATE)
        first = before // rate * render.SAMPLE_RATE
        audio = audio[first : first + round((end - start) / rate * render.SAMPLE_RATE)].T
        yield start / rate, np.repeat(audio, 2, axis=0) if len(audio) == 1 else audio


def _read(file, start: int, end: int) -> np.ndarray:
    """Frames [start, end) as float32 [frames, channels]. Raises Unusable when they are not there or not finite."""
    file.seek(start)
    audio = file.read(end - start, dtype="float32", always_2d=True)
    if len(audio) < end - start:
        raise Unusable("truncated", f"ends after {start + len(audio)} of {file.frames} samples")
    if not np.isfinite(audio).all():
        place = start + int(np.argmax(~np.isfinite(audio).all(axis=1)))
        raise Unusable("not finite", f"sample {place} is no finite number")
    return audio
