"""The stage `toys` as a process: it writes all tables, and a killed run resumes to the same bytes."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from eisbach.pipeline.outcomes import check
from tests.settings import text
from toy_models import outcomes

ROOT = Path(__file__).parents[2]
TINY = {
    "seeds": [1000, 1001],
    "regimes": ["densities/two_moons"],
    "arms": ["baseline", "barrier"],
    "sgd_arms": [],
    "length": 0.005,
    "samples": 16,
    "heldout": 4,
    "block": 2,
}


def start(folder, **changes):
    """Start the stage in `folder` with the settings of a tiny run."""
    (folder / "params.yaml").write_text(text(toys={"lams": [0.5], "swept": ["barrier"], **TINY, **changes}))
    return subprocess.Popen(
        [sys.executable, "-m", "toy_models"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def digests(folder):
    files = sorted((folder / "artifacts" / "toys").glob("*.parquet"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["analytic", "trajectories/c2"])
def test_the_stage_writes_every_table_with_its_columns_also_without_rows(tmp_path, regime):
    process = start(tmp_path, regimes=[regime], seeds=[1000])
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    for table, columns in outcomes.TABLES.items():
        assert set(pd.read_parquet(tmp_path / f"artifacts/toys/{table}.parquet").columns) == set(columns)
    check(pd.read_parquet(tmp_path / "artifacts/toys/outcomes.parquet"))


@pytest.mark.slow
def test_the_stage_writes_the_same_bytes_whether_killed_or_not(tmp_path):
    """The stage is killed with all its workers as soon as one unit of four has finished, then run again."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    settings = {"seeds": [1000, 1001, 1002, 1003], "block": 1, "length": 0.05}
    process = start(whole, **settings)
    process.communicate()
    assert process.returncode == 0
    cache = broken / ".cache" / "toys"

    def finished():
        return [path for path in cache.glob("*/outcomes.parquet") if not path.parent.name.startswith(".")]

    killed = start(broken, **settings)
    while not finished():
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (broken / "artifacts").exists()
    done = {path: path.stat().st_mtime_ns for path in finished()}
    assert 0 < len(done) < 4
    again = start(broken, **settings)
    while again.poll() is None:  # a finished unit is not run again: its file stays untouched as long as it exists
        for path, written in done.items():
            if path.exists():
                assert path.stat().st_mtime_ns == written
        time.sleep(0.05)
    assert again.wait() == 0
    assert len(digests(whole)) == 4
    assert digests(whole) == digests(broken)
    assert not cache.exists()
