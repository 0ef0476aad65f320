"""The commands of the toys and of the golden vectors answer `--help` and refuse arguments that they do not know."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = [["-m", "toy_models"], ["-m", "benchmarks.toys"], [str(ROOT / "golden" / "barrier.py")]]


def run(folder, command, *args):
    """Run a command in an empty folder, with a time limit far below that of its work."""
    return subprocess.run(
        [sys.executable, *command, *args],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, capture_output=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[-1].rpartition("/")[2])
def test_help_is_printed_and_nothing_is_run(tmp_path, command):
    written = (ROOT / "golden" / "barrier.json").stat().st_mtime_ns
    result = run(tmp_path, command, "--help")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage: ")
    assert not list(tmp_path.iterdir())
    assert (ROOT / "golden" / "barrier.json").stat().st_mtime_ns == written


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[-1].rpartition("/")[2])
def test_unknown_arguments_are_refused(tmp_path, command):
    written = (ROOT / "golden" / "barrier.json").stat().st_mtime_ns
    result = run(tmp_path, command, "--unknown")
    assert result.returncode == 2
    assert "unrecognized arguments: --unknown" in result.stderr
    assert not list(tmp_path.iterdir())
    assert (ROOT / "golden" / "barrier.json").stat().st_mtime_ns == written
