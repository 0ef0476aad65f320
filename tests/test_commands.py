"""Every module that `python -m` runs answers `--help`, and refuses an unknown option before it does anything."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("benchmarks", "eisbach", "predictions", "toy_models")
CPU_SECONDS = 6  # of one answer: importing the models takes more; torch alone takes 3 on a busy machine


def modules() -> Iterator[str]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name == "__main__.py" or 'if __name__ == "__main__":' in path.read_text():
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")


MODULES = list(modules())


def files() -> dict[Path, tuple[int, int]]:
    """Size and time of the last change of every file in the packages and docs, caches apart."""
    found = [path for folder in (*PACKAGES, "docs") for path in (ROOT / folder).rglob("*")]
    kept = [path for path in found if "__pycache__" not in path.parts and path.is_file()]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in kept}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """A finished process by (module, option), each in an empty folder of its own, and what it left there."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def answer(case: tuple[str, str], folder: Path) -> tuple[subprocess.CompletedProcess, list[Path]]:
        command = ["sh", "-c", f'ulimit -t {CPU_SECONDS}; exec "$@"', "sh", sys.executable, "-m", *case]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
        return done, list(folder.iterdir())

    before = files()
    cases = [(module, option) for module in MODULES for option in ("--help", "--no-such-option")]
    folders = [tmp_path_factory.mktemp("command") for _ in cases]  # here: not safe in several threads
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(cases, pool.map(answer, cases, folders), strict=True))
    changed = {path for path, state in files().items() if before.get(path) != state}
    return found, changed | (before.keys() - files().keys())


def test_packages_stages_and_benchmarks_are_found():
    assert {"toy_models", "benchmarks.training", "eisbach.runner", "eisbach.pipeline.stages.finetune"} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_help_is_a_usage_line(answers, module):
    done, _ = answers[0][module, "--help"]
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: python -m {module} ")


@pytest.mark.parametrize("module", MODULES)
def test_an_unknown_option_is_refused_with_a_usage_line(answers, module):
    done, _ = answers[0][module, "--no-such-option"]
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"usage: python -m {module} ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_neither_leaves_a_file(answers, module):
    assert [answers[0][module, option][1] for option in ("--help", "--no-such-option")] == [[], []]


def test_no_file_of_the_repository_is_changed(answers):
    assert not answers[1]


@pytest.mark.parametrize("given", [[], ["one"], ["1.5"], ["0", "1"]])
def test_a_stage_with_a_seed_refuses_anything_but_one_integer(tmp_path, given):
    command = [sys.executable, "-m", "eisbach.pipeline.stages.finetune", *given]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m eisbach.pipeline.stages.finetune [-h] seed\n")
    assert "Traceback" not in done.stderr
