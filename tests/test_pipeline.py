"""The whole pipeline in temporary clones, at the smoke profile: `pytest -m slow tests/test_pipeline.py`, minutes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import soundfile
import yaml

from tests.eisbach.data.music import tune

ROOT = Path(__file__).parents[1]
KILLED_AFTER = (
    4,
    9,
    20,
    30,
    45,
    60,
)  # seconds: in the environment check, the corpus, and in and between stages


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A function that clones the committed tree."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp("clones") / name
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        return folder

    return make


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """`make repro` in a clone, with this environment, as a separate process group."""
    command = ["make", "-o", f"{sys.prefix}/.ready", "repro", f"VENV={sys.prefix}", *arguments]
    return subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def finish(folder: Path, *arguments: str) -> str:
    """The output of `make repro`, which must succeed."""
    process = start(folder, *arguments)
    output, _ = process.communicate(timeout=1800)
    assert process.returncode == 0, output[-2000:]
    return output


@pytest.fixture(scope="module")
def finished(clone):
    folder = clone("first")
    finish(folder, "PROFILE=smoke")
    return folder


def outputs(folder: Path) -> dict[str, object]:
    """dvc.lock, which has the hash of every output, and the content of every metrics file."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    return lock | {file.name: file.read_text() for file in (folder / "results").glob("*.json")}


def ran(output: str) -> list[str]:
    """The stages that a run's output says it ran, `sources` apart, which always runs."""
    stages = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert "sources" in stages
    return sorted({*stages} - {"sources"})


@pytest.mark.slow
def test_a_finished_run_does_nothing_when_repeated(finished):
    assert ran(finish(finished)) == []


@pytest.mark.slow
def test_another_clone_writes_the_same_bytes(finished, clone):
    again = clone("second")
    finish(again, "PROFILE=smoke")
    assert outputs(again) == outputs(finished)


@pytest.mark.slow
def test_a_run_killed_several_times_writes_the_same_bytes(finished, clone):
    folder = clone("killed")
    for seconds in KILLED_AFTER:
        process = start(folder, "PROFILE=smoke")
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finish(folder, "PROFILE=smoke")
    assert outputs(folder) == outputs(finished)


@pytest.mark.slow
def test_another_seed_trains_that_seed_only(finished):
    path = finished / "params.yaml"
    path.write_text(path.read_text().replace("\nseeds:\n", "\nseeds:\n- 7\n"))
    own = ["evaluate@7", "finetune@7", "generate@7"]
    assert ran(finish(finished)) == ["between_seeds", *own, "register", "report", "verify"]


@pytest.mark.slow
def test_the_shipped_base_beats_linear_predictors_on_held_out_clips(finished):
    measured = json.loads((finished / "results" / "base.json").read_text())
    assert measured["largest_ratio_to_linear_between_0.1_and_0.9"] < 1


@pytest.mark.slow
def test_the_pipeline_runs_to_its_end_on_a_folder_of_other_music(clone):
    """Long and short files, one that needs a latent of padding, a broken file, and unknown contrast."""
    folder = clone("own music")
    for seed, seconds in enumerate((23.0, 10.0, 4.0, 31.0, 12.5, 10.0)):
        path = folder / "music" / f"tune {seed}.flac"
        soundfile.write(path, tune(seed, seconds), 44100)
        path.with_suffix(".txt").write_text(f"tune number {seed}")
    (folder / "music" / "broken.wav").write_bytes(b"no music")
    (folder / "music" / "broken.txt").write_text("said to be music")
    finish(folder, "PROFILE=smoke", "DATA=folder")
    assert (folder / "report" / "index.html").stat().st_size > 10_000
    summary = json.loads((folder / "artifacts" / "corpus" / "summary.json").read_text())
    assert summary["sources_by_status"] == {"ok": 6, "unreadable": 1}
    census = pd.read_parquet(folder / "artifacts" / "census" / "census.parquet")
    assert set(census["contrast_source"]) == {"measured"}
    assert ran(finish(folder)) == []
    (folder / "music" / "broken.wav").unlink()
    assert "prepare" in ran(finish(folder))
