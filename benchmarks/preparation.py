"""`python benchmarks/preparation.py [COUNT]`: preparing a folder of ten-second files against ffmpeg's own conversions.

Both make 44.1 kHz stereo 16-bit FLAC of the same 48 kHz files, with as many processes as there are cores, in one run
and with cold caches. Ours also hashes, checks, levels and measures every file and packs the corpus. CPU seconds are
those of child processes and this one; wall seconds depend on who else uses the machine. Ours is the pipeline's own
stage, its start and its imports included.
"""

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
from eisbach.files import replacing

SECONDS, RATE = 10, 48000
RESULT = Path(__file__).with_suffix(".json")


def write_files(folder: Path, count: int) -> list[Path]:
    """`count` different files with the spectrum of music: noise that falls by 6 dB an octave, under a swell."""
    noise = np.random.default_rng(0).standard_normal((SECONDS * RATE, 2)).cumsum(0)
    noise -= np.linspace(noise[0], noise[-1], len(noise))
    noise *= (0.5 + 0.5 * np.sin(np.linspace(0, 9, len(noise))) ** 2)[:, None] / np.abs(noise).max()
    paths = []
    for place in range(count):
        paths.append(folder / f"{place:04d}.wav")
        soundfile.write(paths[-1], np.roll(noise, place * 97, axis=0), RATE, subtype="PCM_16")
        paths[-1].with_suffix(".txt").write_text(f"noise {place}")
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
    """What ffmpeg needs, one process a core, one thread each."""
    target.mkdir()

    def one(path: Path) -> None:
        form = ["-ar", "44100", "-ac", "2", "-sample_fmt", "s16", target / f"{path.stem}.flac"]
        command = [ffmpeg.program(), "-v", "error", "-nostdin", "-threads", "1", "-i", path, *form]
        subprocess.run(command, check=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, paths))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
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
