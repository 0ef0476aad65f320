"""Real people's files, made small. Each case is one file, what it is, and the row of status.parquet that must come out.

`tune` gives the audio; every case has its own seed, so that no two files are equal.
"""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from eisbach.data.recorded import ffmpeg
from tests.eisbach.data.music import tune

SECONDS = 4.0  # of the audio in a case, unless its line says otherwise


@dataclass(frozen=True)
class Case:
    """`make(path, seed)` writes the file; `lost` is a range of seconds that the status must state."""

    name: str
    what: str
    make: Callable[[Path, int], object]
    status: str = "ok"
    reason: str = ""  # a regular expression
    lost: tuple[float, float] = (0.0, 0.0)
    seconds: float | None = None  # of all its clips; None: not asked


def sound(seed: int, **form) -> np.ndarray:
    return tune(seed, form.pop("seconds", SECONDS), **form)


def pcm(path: Path, audio: np.ndarray, rate: int = 44100, **form) -> Path:
    soundfile.write(path, audio, rate, **form)
    return path


def encoded(path: Path, audio: np.ndarray, *options: str, rate: int = 44100) -> Path:
    """Encode audio [samples, channels] with ffmpeg into the format of the path's suffix."""
    wave = pcm(path.with_name(f".{path.name}.wav"), audio, rate)
    command = [ffmpeg.program(), "-v", "error", "-y", "-i", wave, *options, path]
    subprocess.run(list(map(str, command)), check=True)
    wave.unlink()
    return path


def damaged(path: Path, start: float = 0.5, share: float = 0.1) -> None:
    """Overwrite a part of the file with noise."""
    content = bytearray(path.read_bytes())
    first, count = int(start * len(content)), int(share * len(content))
    content[first : first + count] = np.random.default_rng(0).bytes(count)
    path.write_bytes(content)


def halved(path: Path, share: float = 0.5) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def joined(path: Path, *options: str, seed: int) -> None:
    parts = [encoded(path, sound(seed + index), *options).read_bytes() for index in (0, 1000)]
    path.write_bytes(b"".join(parts))


def silent_first(seed: int) -> np.ndarray:
    audio = sound(seed)
    audio[:40000] = 0
    return audio


def with_value(seed: int, value: float, seconds: float = SECONDS) -> np.ndarray:
    audio = sound(seed, seconds=seconds)
    audio[1000, 0] = value
    return audio


def _appended(path: Path, make: Callable[[Path], Path]) -> None:
    """Append the file that `make` writes, given a path of the same format."""
    other = make(path.with_name(f".other{path.suffix}"))
    path.write_bytes(path.read_bytes() + other.read_bytes())
    other.unlink()


def _twice(path: Path) -> None:
    path.write_bytes(path.read_bytes() * 2)


def never_closed(path: Path, size: bytes, seed: int) -> None:
    content = pcm(path, sound(seed)).read_bytes()
    path.write_bytes(content[:40] + size + content[44:])


def antiphase(seed: int, left: float = 1.0, right: float = -1.0) -> np.ndarray:
    return sound(seed, channels=1) * [left, right]


NO_XING, VARIABLE = ("-write_xing", "0", "-id3v2_version", "0"), ("-q:a", "2")
FLOAT = {"subtype": "FLOAT"}

AUDIO = [
    Case("plain.wav", "nothing odd", lambda p, s: pcm(p, sound(s)), seconds=4),
    Case("plain.flac", "nothing odd", lambda p, s: pcm(p, sound(s)), seconds=4),
    Case("plain.ogg", "Vorbis", lambda p, s: pcm(p, sound(s)), seconds=4),
    Case("plain.opus", "Opus, whose rate is always 48 kHz", lambda p, s: encoded(p, sound(s)), seconds=4),
    Case("LOUD.OpUs", "a suffix in mixed case", lambda p, s: encoded(p.with_suffix(".opus"), sound(s)).rename(p)),
    Case("phone.m4a", "AAC in MP4", lambda p, s: encoded(p, sound(s)), seconds=4),
    Case("raw.aac", "AAC without a container", lambda p, s: encoded(p, sound(s))),
    Case("old.wma", "Windows Media", lambda p, s: encoded(p, sound(s))),
    Case("pack.wv", "WavPack", lambda p, s: encoded(p, sound(s)), seconds=4),
    Case("core.caf", "Apple's CAF", lambda p, s: encoded(p, sound(s)), seconds=4),
    Case("plain.mp3", "MP3 with a Xing header", lambda p, s: encoded(p, sound(s), *VARIABLE), seconds=4),
    Case("noxing.mp3", "no Xing header, variable rate, nearly a second of silence first: the length is only estimated",
         lambda p, s: encoded(p, silent_first(s), *VARIABLE, *NO_XING), seconds=4),
    Case("joined.mp3", "two MP3s joined, without Xing headers: nothing is lost at the seam",
         lambda p, s: joined(p, *VARIABLE, *NO_XING, seed=s), seconds=8),
    Case("albums.mp3", "two MP3s joined, each with a Xing header: the second header is one frame without music",
         lambda p, s: joined(p, *VARIABLE, seed=s), "partial", "cannot be decoded", (0.02, 0.03), 8),
    Case("silent-first.wav", "nearly a second of silence first: it is part of the first clip",
         lambda p, s: pcm(p, silent_first(s))),
    Case("open-0.wav", "the recorder never wrote the size: 0", lambda p, s: never_closed(p, bytes(4), s), seconds=4),
    Case("open-ff.wav", "the recorder never wrote the size: 2^32 - 1",
         lambda p, s: never_closed(p, b"\xff" * 4, s), seconds=4),
    Case("middle.mp3", "damaged frames in the middle",
         lambda p, s: damaged(encoded(p, sound(s), "-b:a", "128k")), "partial", "cannot be decoded", (0.1, 1), 3.6),
    Case("middle-noxing.mp3", "damaged frames in the middle; no length is stated, so the loss is a lower bound",
         lambda p, s: damaged(encoded(p, sound(s), "-b:a", "128k", *NO_XING)), "partial", "at least", (0.02, 1)),
    Case("middle.flac", "damaged frames in the middle, found by their checksums",
         lambda p, s: damaged(pcm(p, sound(s)), share=0.02), "partial", "cannot be decoded", (0.05, 1)),
    Case("middle.ogg", "damaged pages in the middle",
         lambda p, s: damaged(pcm(p, sound(s))), "partial", "cannot be decoded", (0.1, 3.5)),
    Case("middle.opus", "damaged pages in the middle",
         lambda p, s: damaged(encoded(p, sound(s))), "partial", "cannot be decoded", (0.1, 3.5)),
    Case("middle.m4a", "damaged frames in the middle",
         lambda p, s: damaged(encoded(p, sound(s)), 0.3), "partial", "cannot be decoded", (0.05, 1.5)),
    Case("half.wav", "half of the file", lambda p, s: halved(pcm(p, sound(s))), "partial", "truncated", (1.9, 2.1), 2),
    Case("half.aiff", "half of the file", lambda p, s: halved(pcm(p, sound(s))), "partial", "decoded", (1.9, 2.1), 2),
    Case("half.flac", "half of the file", lambda p, s: halved(pcm(p, sound(s))), "partial", "decoded", (1, 3)),
    Case("half.mp3", "half of the file, with a Xing header",
         lambda p, s: halved(encoded(p, sound(s), "-b:a", "128k")), "partial", "cannot be decoded", (1.5, 2.5), 2),
    Case("stub.mp3", "a tenth of the file: too short for a clip",
         lambda p, s: halved(encoded(p, sound(s), "-b:a", "128k"), 0.1), "truncated", "of 4 s cannot be decoded"),
    Case("half.opus", "half of the file: a shorter stream, but its last page is missing",
         lambda p, s: halved(encoded(p, sound(s))), "partial", "some of it .* last page is missing"),
    Case("half.caf", "half of the file, within a frame; the length is counted from the file's size",
         lambda p, s: halved(encoded(p, sound(s)), 0.501), "partial", "some of it cannot be decoded", (0, 0), 2),
    Case("copied.wav", "two WAV files joined: only the first is read",
         lambda p, s: _twice(pcm(p, sound(s))), "partial", "another file begins at byte", (4, 4), 4),
    Case("copied.m4a", "two M4A files joined: only the first is read",
         lambda p, s: _twice(encoded(p, sound(s))), "partial", "another file begins at byte", (3.9, 4.1), 4),
    Case("rates.ogg", "two Ogg streams joined, of different rates: only the first is read",
         lambda p, s: _appended(pcm(p, sound(s)), lambda q: pcm(q, sound(s, rate=22050), 22050)), "partial",
         "some of it .* rate change", (0, 0), 4),
    Case("rates.mp3", "two MP3s joined, of different rates and channels",
         lambda p, s: _appended(encoded(p, sound(s), *NO_XING), lambda q: encoded(
             q, sound(s, rate=22050, channels=1), *NO_XING, rate=22050)), "partial", "cannot", (0.01, 0.03)),
    Case("late.mka", "a recording whose times begin at 5 s",
         lambda p, s: encoded(p, sound(s), "-output_ts_offset", "5"), seconds=4),
    Case("half.m4a", "half of the file, without the index at its end",
         lambda p, s: halved(encoded(p, sound(s))), "unreadable", "moov atom not found"),
    Case("empty.wav", "no bytes", lambda p, s: p.write_bytes(b""), "unreadable", "empty"),
    Case("page.mp3", "a web page", lambda p, s: p.write_text(f"<html>{s}</html>\n" * 90), "unreadable", "MPEG"),
    Case("zeros.flac", "an unfinished download", lambda p, s: p.write_bytes(bytes(5000 + s)), "unreadable", "format"),
    Case("nan.wav", "one sample is not a number: the other clips are used",
         lambda p, s: pcm(p, with_value(s, np.nan), **FLOAT), "partial", "sample 1000 is not a finite", (1, 1), 3),
    Case("all-nan.wav", "one clip, one infinite sample",
         lambda p, s: pcm(p, with_value(s, np.inf, 1.0), **FLOAT), "not finite", "sample 1000"),
    Case("huge.wav", "a float sample of 1e30, whose square overflows",
         lambda p, s: pcm(p, with_value(s, 1e30), **FLOAT), "partial", "sample 1000", (1, 1), 3),
    Case("surround.wav", "eight channels", lambda p, s: pcm(p, sound(s, channels=8)), "channels", "8 channels"),
    Case("slow.wav", "4 kHz", lambda p, s: pcm(p, sound(s, rate=4000), 4000), "rate", "4000 Hz"),
    Case("silent.flac", "silence", lambda p, s: pcm(p, np.zeros((44100 + s, 2))), "silent", "below -60 dB"),
    Case("short.wav", "0.2 s", lambda p, s: pcm(p, sound(s, seconds=0.2)), "short", "0.2 s"),
    Case("antiphase.wav", "the right channel is the left one's negative, softer: mono would be silence",
         lambda p, s: pcm(p, antiphase(s, 1.0, -0.9)), "ok", "left and right cancel", seconds=4),
    Case("wide.wav", "left and right share nothing: as it is",
         lambda p, s: pcm(p, np.concatenate([sound(s, channels=1), sound(s + 1000, channels=1)], 1)), seconds=4),
]  # fmt: skip


def latents(path: Path, array: np.ndarray | None = None, *, seed: int, **facts) -> None:
    """Write latents [6, 20] with `facts` in the JSON beside them."""
    array = np.random.default_rng(seed).standard_normal((6, 20)) if array is None else array
    np.save(path, array.astype("float32") if array.dtype == float else array)
    path.with_suffix(".json").write_text(json.dumps({"prompt": f"latents {seed}", **facts}))


def _described(name: str, what: str, status: str = "unreadable", reason: str = "", **facts) -> Case:
    return Case(f"{name}.npy", what, lambda p, s: latents(p, seed=s, **facts), status, reason)


def _shaped(name: str, what: str, array: Callable[[], np.ndarray], status: str, reason: str) -> Case:
    return Case(f"{name}.npy", what, lambda p, s: latents(p, array(), seed=s), status, reason)


LATENTS = [
    _described("plain-a", "nothing odd", "ok"),
    _described("plain-b", "nothing odd", "ok"),
    Case("UPPER.NPY", "a suffix in capitals",
         lambda p, s: (latents(p.with_suffix(".npy"), seed=s), p.with_suffix(".npy").rename(p))),
    _described("floats", "a mask of 1.0 and 0.0", "ok", padding_mask=[1.0] * 19 + [0.0]),
    _described("null-mask", "no mask", "ok", padding_mask=None),
    _described("null-seconds", "no length", "ok", seconds_total=None),
    _described("scalar", "the mask is one number", reason="padding_mask is 1, not a list", padding_mask=1),
    _described("most", "a mask of .9", reason="padding_mask has 0.9", padding_mask=[0.9] * 20),
    _described("twos", "a mask of 2", reason="padding_mask has 2", padding_mask=[2] * 20),
    _described("text-mask", "a mask of text", reason='padding_mask has "1"', padding_mask=["1"] * 20),
    _described("long-mask", "a mask of another length", reason="21 values", padding_mask=[1] * 21),
    _described("no-ones", "a mask of zeros", reason="20 values, 0 of them 1", padding_mask=[0] * 20),
    _described("nan-seconds", "NaN", reason="seconds_total is NaN", seconds_total=float("nan")),
    _described("text-seconds", "text", reason='seconds_total is "2 min"', seconds_total="2 min"),
    _described("minus-seconds", "negative", reason="seconds_total is -1", seconds_total=-1),
    _described("flag-seconds", "true", reason="seconds_total is true", seconds_total=True),
    _described("endless-seconds", "1e999", reason="seconds_total is Infinity", seconds_total=float("inf")),
    _described("null-prompt", "no caption", "no caption", "its caption is 'null', not text", prompt=None),
    _described("number-prompt", "a number", "no caption", "its caption is '120', not text", prompt=120),
    _described("None-prompt", "Python's None as text", "no caption", "describes no music", prompt="None"),
    Case("list.npy", "the JSON is a list",
         lambda p, s: (latents(p, seed=s), p.with_suffix(".json").write_text("[]")), "no caption", "not a JSON object"),
    Case("deep.npy", "the JSON is nested beyond the parser's depth",
         lambda p, s: (latents(p, seed=s), p.with_suffix(".json").write_text("[" * 99999)), "no caption", "readable"),
    Case("alone.npy", "no JSON",
         lambda p, s: (latents(p, seed=s), p.with_suffix(".json").unlink()), "no caption", "alone.json is missing"),
    _shaped("cube", "three axes", lambda: np.ones((1, 6, 20)), "unreadable", r"float32\(1, 6, 20\)"),
    _shaped("whole", "integers", lambda: np.ones((6, 20), int), "unreadable", "int64"),
    _shaped("complex", "complex", lambda: np.ones((6, 20), complex), "unreadable", "complex128"),
    _shaped("none", "no latents", lambda: np.ones((6, 0)), "unreadable", r"\(6, 0\)"),
    _shaped("nan", "NaN", lambda: np.full((6, 20), np.nan), "not finite", "not finite"),
    _shaped("narrow", "another number of channels", lambda: np.ones((4, 20)), "channels", "4 channels, where most"),
    Case("header.npy", "the header is damaged",
         lambda p, s: (latents(p, seed=s), damaged(p, 0.02, 0.1)), "unreadable", "not an array"),
    Case("cut.npy", "half of the file", lambda p, s: (latents(p, seed=s), halved(p)), "unreadable", "not an array"),
    Case("zip.npy", "an archive of arrays",
         lambda p, s: (latents(p, seed=s), _zipped(p)), "unreadable", "not an array"),
]  # fmt: skip


def _zipped(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, np.ones((6, 20)))


FOLDERS = [
    Case("linked.wav", "a link to a file elsewhere is followed", lambda p, s: _link(p, pcm(_away(p), sound(s)))),
    Case("box/a.wav", "a linked folder is followed", lambda p, s: _linked_folder(p, s)),
    Case("loop", "a link to the folder itself", lambda p, s: _link(p, p.parent), "broken link", "contains it"),
    Case("broken.wav", "a link to nothing", lambda p, s: _link(p, Path("gone.wav")), "broken link", "gone.wav"),
    Case("pipe.wav", "a named pipe, which would block a reader", lambda p, s: os.mkfifo(p), "unreadable", "regular"),
    Case("caf\\xe9.wav", "a name that is not UTF-8", lambda p, s: _latin(p, s)),
    Case("line\nbreak.wav", "a line break in the name", lambda p, s: pcm(p, sound(s))),
    Case("folder.wav/in.wav", "a folder named like a file", lambda p, s: (p.parent.mkdir(), pcm(p, sound(s)))),
]


def _away(path: Path) -> Path:
    """A place outside the folder of music."""
    folder = path.parent.with_name("elsewhere")
    folder.mkdir(exist_ok=True)
    return folder / path.name


def _link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def _linked_folder(path: Path, seed: int) -> None:
    folder = _away(path.parent)
    folder.mkdir()
    pcm(folder / path.name, sound(seed))
    path.parent.symlink_to(folder)


def _latin(path: Path, seed: int) -> None:
    plain = pcm(path.with_name("plain-name.wav"), sound(seed))
    os.rename(plain, os.fsencode(path.parent) + b"/caf\xe9.wav")
