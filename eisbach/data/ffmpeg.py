"""What only ffmpeg decodes and cuts: the system's ffmpeg, or the one that imageio-ffmpeg carries."""

import shutil
import subprocess
from functools import cache
from pathlib import Path


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
    """Call ffmpeg on one thread; its last words when it fails, else nothing."""
    command = [program(), "-v", "error", "-nostdin", "-y", "-threads", "1", *arguments]
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode == 0:
        return ""
    words = done.stderr.decode(errors="replace").strip().splitlines()
    return words[-1] if words else f"exit status {done.returncode}"
