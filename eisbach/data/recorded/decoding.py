"""Clips from audio files: 44.1 kHz stereo FLAC.

ffmpeg decodes every format. Long files are cut into consecutive clips; the remainder becomes a shorter clip. Each clip
is brought to the level of the rendered corpus, so that mean level and contrast stay separate, unless `prepare.level`
chooses another; its original level is kept in `source_rms_db`.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from eisbach.data import audio
from eisbach.data.clips import SAMPLE_RATE
from eisbach.data.recorded import containers, ffmpeg, level
from eisbach.data.recorded.types import ClipFile, Remark, Rules, Unusable

SUFFIXES = (
    *(".wav", ".wave", ".w64", ".rf64", ".flac", ".aiff", ".aif", ".aifc", ".caf", ".au", ".wv", ".ape", ".tta"),
    *(".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".m4b", ".aac", ".wma", ".ac3", ".mka", ".weba"),
)
LEAST_RATE = 8000  # Hz, the rate of telephony
MARGIN_SECONDS = 1  # resampled on both sides of a clip; an integer, so that it is whole samples at any rate
LARGEST = 1e4  # times full scale; a larger float sample is damage, and its square would overflow
CANCELLED_DB = 12.0  # the level of (left + right) / 2 below that of the channels from which they cancel each other
CANCELLED = Remark("left and right cancel each other in some clips; there the louder channel is used for both")


def clip_files(path: Path, rules: Rules) -> Iterator[ClipFile | Remark]:
    """Yield the clips of an audio file that are long and loud enough, in its order, and remarks. Raises Unusable."""
    if not path.stat().st_size:
        raise Unusable("unreadable", "the file is empty")
    with tempfile.TemporaryDirectory(prefix="eisbach-") as scratch:
        wave = Path(scratch) / "decoded.wav"
        decoded = _decode(path, wave)
        if decoded.seconds + 1e-9 < rules.least_seconds and decoded.lost_seconds:
            raise Unusable("truncated", f"{_lost(decoded)}; {rules.least_seconds:g} s are needed")
        yield from _clip_files(path, wave, rules)
        if decoded.lost_seconds or (decoded.fault and not decoded.exact):
            yield Remark(_lost(decoded), decoded.lost_seconds)


def _decode(path: Path, wave: Path) -> ffmpeg.Decoded:
    decoded = ffmpeg.decode(path, wave)
    if not decoded.seconds:
        raise Unusable("unreadable", decoded.fault)
    if share := containers.present(path):  # ffmpeg takes a truncated WAV file for a shorter one
        return replace(decoded, lost_seconds=decoded.seconds * (1 / share - 1), fault="the file is truncated")
    share, why = containers.hidden(path)
    lost = decoded.lost_seconds + decoded.seconds * share / (1 - share)
    return replace(decoded, lost_seconds=lost, fault=why, exact=False) if why else decoded


def _lost(decoded: ffmpeg.Decoded) -> str:
    fault = f" ({decoded.fault})" * bool(decoded.fault)
    if not decoded.lost_seconds:
        return f"some of it cannot be decoded{fault}"
    least = "" if decoded.exact or not decoded.fault else "at least "
    total = decoded.seconds + decoded.lost_seconds
    return f"{least}{decoded.lost_seconds:.3g} s of {total:.3g} s cannot be decoded{fault}"


def _clip_files(path: Path, wave: Path, rules: Rules) -> Iterator[ClipFile | Remark]:
    import soundfile

    silent, damaged = True, None
    with soundfile.SoundFile(wave) as file:
        _check_header(file, rules)
        gain = level.of_file(path, wave, rules)
        for start, sound in _windows(file, rules):
            if isinstance(sound, Remark):
                damaged = damaged or sound
                yield sound
                continue
            for item in _clip_file(start, sound, rules, gain):
                silent = False
                yield item
    if silent and damaged:
        raise Unusable("not finite", damaged.reason)
    if silent:
        raise Unusable("silent", f"the RMS is below {rules.silence_db:g} dB everywhere")


def _clip_file(start: float, sound: np.ndarray, rules: Rules, gain: float | None) -> Iterator[ClipFile | Remark]:
    """The clip of audio [2, samples] at SAMPLE_RATE and a remark on its channels; nothing where it is silent.

    Its level is changed by `gain`, or to that of the rendered corpus where that is None.
    """
    source_level = audio.rms_db(sound)
    if source_level < rules.silence_db:
        return
    used = _cancelling(sound)
    if used is not None:
        sound = np.repeat(sound[used : used + 1], 2, axis=0)
        yield CANCELLED
    sound = audio.normalise(sound) if gain is None else np.clip(gain * sound, -1, 1)
    facts = {"source_rms_db": source_level, **audio.measure_levels(sound)}
    facts["channels_used"] = "both" if used is None else ("left", "right")[used]
    yield ClipFile("flac", audio.to_flac(sound), start, sound.shape[1] / SAMPLE_RATE, facts)


def _cancelling(sound: np.ndarray) -> int | None:
    """The louder channel of audio [2, samples] whose channels cancel each other in a mono mix, else None."""
    power = np.mean(sound.astype(np.float64) ** 2, axis=1)
    mid = np.mean(sound.astype(np.float64).mean(0) ** 2)
    return int(power[1] > power[0]) if mid < power.mean() * 10 ** (-CANCELLED_DB / 10) else None


def _check_header(file, rules: Rules) -> None:
    if file.channels > 2:
        raise Unusable("channels", f"{file.channels} channels: mix the file down to stereo")
    if file.samplerate < LEAST_RATE:
        raise Unusable("rate", f"{file.samplerate} Hz: at least {LEAST_RATE} are needed")
    if file.frames < rules.least_seconds * file.samplerate:
        raise Unusable("short", f"{file.frames / file.samplerate:.3g} s: at least {rules.least_seconds:g} are needed")


def _windows(file, rules: Rules) -> Iterator[tuple[float, np.ndarray | Remark]]:
    """Yield (start in seconds, audio [2, samples] at SAMPLE_RATE) of every clip that is long enough.

    A clip with samples that are no audio gives a remark instead.
    """
    import soxr

    rate, margin = file.samplerate, MARGIN_SECONDS * file.samplerate
    for index in range(1 + int(file.frames / rate / rules.seconds)):
        start, end = (min(round(edge * rules.seconds * rate), file.frames) for edge in (index, index + 1))
        if end - start < rules.least_seconds * rate:
            continue
        before = min(margin, start // rate * rate)
        file.seek(start - before)
        sound = file.read(min(end + margin, file.frames) - start + before, dtype="float32", always_2d=True)
        damaged = ~(np.abs(sound) < LARGEST).all(axis=1)
        if damaged[before : before + end - start].any():
            first = start + int(np.argmax(damaged[before:]))
            yield start / rate, Remark(f"sample {first} is not a finite number in range", (end - start) / rate)
            continue
        sound[damaged] = 0  # in the margin of a neighbour
        if rate != SAMPLE_RATE:
            sound = soxr.resample(sound, rate, SAMPLE_RATE)
        first = before // rate * SAMPLE_RATE
        sound = sound[first : first + round((end - start) / rate * SAMPLE_RATE)].T
        yield start / rate, np.repeat(sound, 2, axis=0) if len(sound) == 1 else sound
