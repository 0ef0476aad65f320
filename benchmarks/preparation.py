"""Compare stage `prepare` with plain ffmpeg on a folder of ten-second files; write preparation.json.

Both convert the same 48 kHz files to 44.1 kHz stereo 16-bit FLAC, with one process a core and without caches. The
stage is run as a command, so its imports count; it also hashes, checks, normalises and measures every file and packs
the corpus. CPU seconds include child processes. Wall seconds depend on the other load of the machine.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from eisbach.compose import composed
from eisbach.data.recorded import ffmpeg
from eisbach.pipeline.files import replacing

SECONDS, RATE = 10, 48000
RESULT = Path(__file__).with_suffix(".json")


def write_files(folder: Path, count: int) -> list[Path]:
    """Write `count` different files of noise that falls by 6 dB an octave, like music, with a slow swell."""
    noise = np.random.default_rng(0).standard_normal((SECONDS * RATE, 2)).cumsum(0)
    noise -= np.linspace(noise[0], noise[-1], len(noise))
    noise *= (0.5 + 0.5 * np.sin(np.linspace(0, 9, len(noise))) ** 2)[:, None] / np.abs(noise).max()
    paths = []
    for index in range(count):
        paths.append(folder / f"{index:04d}.wav")
        soundfile.write(paths[-1], np.roll(noise, index * 97, axis=0), RATE, subtype="PCM_16")
        paths[-1].with_suffix(".txt").write_text(f"noise {index}")
    return paths


def cost(work: Callable[[], object]) -> dict[str, float]:
    """Wall and CPU seconds of `work`."""
    before, start = _cpu(), time.perf_counter()
    work()
    return {"wall_seconds": time.perf_counter() - start, "cpu_seconds": _cpu() - before}


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def convert(paths: list[Path], target: Path) -> None:
    """Convert the files with ffmpeg: one process a core, one thread each."""
    target.mkdir()

    def one(path: Path) -> None:
        form = ["-ar", "44100", "-ac", "2", "-sample_fmt", "s16", target / f"{path.stem}.flac"]
        command = [ffmpeg.program(), "-v", "error", "-nostdin", "-threads", "1", "-i", path, *form]
        subprocess.run(command, check=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, paths))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.preparation",
        description="Compare stage `prepare` with plain ffmpeg on ten-second files; write benchmarks/preparation.json.",
    )
    parser.add_argument("count", type=int, nargs="?", default=1000, help="number of files (default 1000, minutes)")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "music").mkdir()
        paths = write_files(folder / "music", count)
        clips = f"prepare.clips={{base: 0, finetune: {count}, heldout: {count}}}"
        (folder / "params.yaml").write_text(composed(["data=folder", clips]))
        theirs = cost(lambda: convert(paths, folder / "ffmpeg"))
        stage = [sys.executable, "-m", "eisbach.pipeline.stages.prepare"]
        ours = cost(lambda: subprocess.run(stage, cwd=folder, check=True))
    found = {
        "clips": count,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "ffmpeg": theirs,
        "prepare": ours,
        "ratio_wall": ours["wall_seconds"] / theirs["wall_seconds"],
        "ratio_cpu": ours["cpu_seconds"] / theirs["cpu_seconds"],
        "load_at_the_end": os.getloadavg()[0],
    }
    with replacing(RESULT) as temporary:
        temporary.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
