"""What only ffmpeg decodes and cuts: the system's ffmpeg, or the one that imageio-ffmpeg carries."""

import errno
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from eisbach.errors import UserError


@cache
def program() -> str:
    """The ffmpeg to call. imageio-ffmpeg's comes first: it is pinned, so its output is the same everywhere."""
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:  # no binary for this platform
        return shutil.which("ffmpeg") or "ffmpeg"


def decode(source: Path, target: Path) -> str:
    """Write the sound of `source` to `target` as float32 WAV, at its own rate; return ffmpeg's complaint, if any."""
    return _run("-xerror", "-i", f"file:{source}", "-map", "0:a:0", "-c:a", "pcm_f32le", "-rf64", "auto", target)


def clip(source: Path, target: Path, start: float, seconds: float) -> str:
    """Write `seconds` from `start` on of the sound of `source` to `target` as 44.1 kHz stereo 16-bit FLAC.

    The sound is decoded from its beginning: seeking in compressed files misses by up to seconds.
    """
    window = f"atrim=start={start:.6f}:duration={seconds:.6f},asetpts=PTS-STARTPTS"
    form = ("-ac", "2", "-ar", "44100", "-c:a", "flac", "-sample_fmt", "s16", "-f", "flac")
    return _run("-xerror", "-i", f"file:{source}", "-map", "0:a:0", "-af", window, *form, target)


def _run(*arguments: object) -> str:
    """Call ffmpeg on one thread; its last words about a faulty file, or nothing.

    What is no fault of the file is raised, or it would be held against it: UserError when there is no ffmpeg or
    somebody killed it, OSError when the disk is full. Ctrl-C does not reach it: a session of its own.
    """
    command = [program(), "-v", "error", "-nostdin", "-y", "-threads", "1", *arguments]
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, start_new_session=True)
    except OSError as error:
        raise UserError(
            f"{program()} cannot be started ({error.strerror}); install imageio-ffmpeg or ffmpeg"
        ) from error
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        raise UserError(f"ffmpeg was killed by signal {-done.returncode}; see that there is memory, and run again")
    words = done.stderr.decode(errors="replace").strip()
    if os.strerror(errno.ENOSPC) in words:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[-1]))
    return words.splitlines()[-1] if words else f"exit status {done.returncode}"
