"""Decode and cut with ffmpeg: the binary that imageio-ffmpeg ships, or the system's."""

import errno
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from eisbach.errors import UserError

DURATION = re.compile(rb"^  Duration: (\d+):(\d\d):(\d\d\.\d+), start: (-?[\d.]+)", re.MULTILINE)
ROUNDING = 1e-3  # s, of the times in containers that count milliseconds
TOLERANCE = 0.1  # s by which a stated length may exceed the decoded one: encoders' padding, and ffmpeg's rounding
# FLAC has a checksum for each frame; a frame that fails it is noise. Encoders of other formats write wrong ones.
STRICT = {".flac": ("-err_detect", "crccheck+explode")}


@dataclass(frozen=True)
class Decoded:
    """What `decode` wrote and what it could not decode, both in seconds."""

    seconds: float
    lost_seconds: float  # gaps between decoded frames, and what the file's stated length has beyond the last
    exact: bool  # false: the file does not state its length or was not read to its end, so that more may be lost
    fault: str  # ffmpeg's first error message, without addresses and paths; empty when there is none


@cache
def program() -> str:
    """The ffmpeg to run. imageio-ffmpeg's comes first: its version is pinned, so its output is the same everywhere."""
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:  # no binary for this platform
        return shutil.which("ffmpeg") or "ffmpeg"


def decode(source: Path, target: Path) -> Decoded:
    """Write all decodable audio of `source` to `target` as float32 WAV at its own rate. Raises like `_run`.

    Damaged frames are left out. The lengths are counted on the decoded frames, whose times ffmpeg lists.
    """
    pcm = ("-map", "0:a:0", "-c:a", "pcm_f32le")
    done = _run(
        *("-v", "level+info", "-nostats", "-hide_banner", *STRICT.get(source.suffix.lower(), ())),
        *("-max_error_rate", "1", "-protocol_whitelist", "file", "-i", f"file:{source}"),
        *(*pcm, "-rf64", "auto", f"file:{target}", *pcm, "-f", "framecrc", "pipe:1"),
    )
    fault = _fault(done.stderr, source, target) or ("" if done.returncode == 0 else f"exit status {done.returncode}")
    lines = done.stdout.decode("ascii", "replace").splitlines()
    frames = [tuple(map(int, line.split(",")[2:4])) for line in lines if line and not line.startswith("#")]
    if not frames:
        return Decoded(0.0, 0.0, False, fault or "it has no audio")
    rate = int(next(line for line in lines if line.startswith("#sample_rate")).split()[-1])
    total = sum(length for _, length in frames)
    end = max(start + length for start, length in frames)
    gaps = (end - frames[0][0] - total) / rate
    # Without a stated length ffmpeg estimates one from the bit rate, which is wrong for a variable one.
    stated = None if b"Estimating duration from bitrate" in done.stderr else DURATION.search(_plain(done.stderr))
    hours, minutes, seconds, begin = map(float, stated.groups()) if stated else (0, 0, 0, 0)
    if b"Input #0, matroska" not in done.stderr:  # only in Matroska the stated length includes what is before the start
        begin = 0
    missing = hours * 3600 + minutes * 60 + seconds - begin - (end - frames[0][0]) / rate
    lost = gaps * (gaps > ROUNDING) + missing * (missing > TOLERANCE)
    exact = bool(stated) and b"Error during demuxing" not in done.stderr  # after that error it reads no more
    return Decoded(total / rate, lost, exact, fault)


def clip(source: Path, target: Path, start: float, seconds: float) -> str:
    """Write `seconds` of the audio of `source`, from `start` on, to `target` as 44.1 kHz stereo 16-bit FLAC.

    Decodes from the start of the file, because seeking in compressed files is off by up to seconds. Returns ffmpeg's
    first error message, or "". Raises like `_run`.
    """
    window = f"atrim=start={start:.6f}:duration={seconds:.6f},asetpts=PTS-STARTPTS"
    form = ("-ac", "2", "-ar", "44100", "-c:a", "flac", "-sample_fmt", "s16", "-f", "flac")
    level = ("-v", "level+error", "-xerror", "-i", f"file:{source}")
    done = _run(*level, "-map", "0:a:0", "-af", window, *form, f"file:{target}")
    return (_fault(done.stderr, source, target) or f"exit status {done.returncode}") if done.returncode else ""


def _run(*arguments: object) -> subprocess.CompletedProcess:
    """Run ffmpeg on one thread.

    Failures that are not the file's fault are raised: UserError when ffmpeg cannot be started or was killed, OSError
    when the disk is full.
    """
    command = [program(), "-nostdin", "-y", "-threads", "1", *map(str, arguments)]
    try:
        # In a new session, so that Ctrl-C does not reach ffmpeg and make the file look faulty.
        done = subprocess.run(command, capture_output=True, start_new_session=True)
    except OSError as error:
        raise UserError(
            f"{program()} cannot be started ({error.strerror}); install imageio-ffmpeg or ffmpeg"
        ) from error
    if done.returncode < 0:
        raise UserError(f"ffmpeg was killed by signal {-done.returncode}; check the free memory and run again")
    if done.returncode and os.strerror(errno.ENOSPC).encode() in done.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[-1]))
    return done


def _plain(stderr: bytes) -> bytes:
    """ffmpeg's messages without the names of the parts that wrote them, which have addresses, and without levels."""
    return re.sub(rb"^(\[[^\]\n]*\] )+", b"", stderr, flags=re.MULTILINE)


def _fault(stderr: bytes, source: Path, target: Path) -> str:
    """The first error among ffmpeg's messages: the same for the same file in every run and folder."""
    errors = b"\n".join(line for line in stderr.splitlines() if b"[error]" in line or b"[fatal]" in line)
    for path, name in ((source, b"the file"), (target, b"the decoded audio")):
        errors = errors.replace(os.fsencode(f"file:{path}"), name).replace(os.fsencode(path), name)
    lines = _plain(errors).decode(errors="replace").splitlines()
    return re.sub(r"0x[0-9a-fA-F]+", "an address", lines[0]).strip().rstrip(".") if lines else ""
