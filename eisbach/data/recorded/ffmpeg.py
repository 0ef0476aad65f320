"""Decode and cut with ffmpeg: the binary that imageio-ffmpeg ships, or the system's."""

import errno
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from eisbach.errors import UserError


@cache
def program() -> str:
    """The ffmpeg to run. imageio-ffmpeg's comes first: its version is pinned, so its output is the same everywhere."""
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:  # no binary for this platform
        return shutil.which("ffmpeg") or "ffmpeg"


def decode(source: Path, target: Path) -> str:
    """Write the audio of `source` to `target` as float32 WAV at its own rate.

    Returns ffmpeg's error message, or "". Raises like `_run`.
    """
    return _run("-xerror", "-i", f"file:{source}", "-map", "0:a:0", "-c:a", "pcm_f32le", "-rf64", "auto", target)


def clip(source: Path, target: Path, start: float, seconds: float) -> str:
    """Write `seconds` of the audio of `source`, from `start` on, to `target` as 44.1 kHz stereo 16-bit FLAC.

    Decodes from the start of the file, because seeking in compressed files is off by up to seconds. Returns ffmpeg's
    error message, or "". Raises like `_run`.
    """
    window = f"atrim=start={start:.6f}:duration={seconds:.6f},asetpts=PTS-STARTPTS"
    form = ("-ac", "2", "-ar", "44100", "-c:a", "flac", "-sample_fmt", "s16", "-f", "flac")
    return _run("-xerror", "-i", f"file:{source}", "-map", "0:a:0", "-af", window, *form, target)


def _run(*arguments: object) -> str:
    """Run ffmpeg on one thread; returns the last line of its error message for a faulty file, or "".

    Failures that are not the file's fault are raised: UserError when ffmpeg cannot be started or was killed, OSError
    when the disk is full.
    """
    command = [program(), "-v", "error", "-nostdin", "-y", "-threads", "1", *arguments]
    try:
        # In a new session, so that Ctrl-C does not reach ffmpeg and make the file look faulty.
        done = subprocess.run(list(map(str, command)), capture_output=True, start_new_session=True)
    except OSError as error:
        raise UserError(
            f"{program()} cannot be started ({error.strerror}); install imageio-ffmpeg or ffmpeg"
        ) from error
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        raise UserError(f"ffmpeg was killed by signal {-done.returncode}; check the free memory and run again")
    message = done.stderr.decode(errors="replace").strip()
    if os.strerror(errno.ENOSPC) in message:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[-1]))
    return message.splitlines()[-1] if message else f"exit status {done.returncode}"
