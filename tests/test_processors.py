"""Pinned numbers and the numeric stages on lesser processors: `pytest -m slow tests/test_processors.py`."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.processors import LESSER

ROOT = Path(__file__).parents[1]
TABLES = (
    "corpus/manifest.parquet",
    "base/loss_by_t.parquet",
    "census/census.parquet",
    "census/sensitivity.parquet",
    "finetune/0/telemetry.parquet",
)
ROUNDING = 1e-3  # largest difference of a column, as a share of its largest absolute value


def numbers_and_facts(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The columns of floating-point numbers, and all others but the hash of the audio's bytes."""
    numbers = table.select_dtypes("float").astype("float64")
    return numbers, table.drop(columns=numbers.columns).drop(columns="sha256", errors="ignore")


@pytest.mark.slow
@pytest.mark.parametrize("processor", LESSER)
def test_pinned_numbers_hold(processor):
    """The tests with the marker `reference`, in seconds."""
    command = [sys.executable, "-m", "pytest", "-m", "reference", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | LESSER[processor], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.slow
def test_the_numeric_stages_differ_by_rounding_only(tmp_path):
    """Corpus, base, census and fine-tuning of the smoke profile, on this processor and on one without AVX."""
    for name, environment in (("own", {}), ("lesser", LESSER["default"])):
        subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / name], check=True)
        for command in (["eisbach.compose", "profile=smoke"], ["dvc", "repro", "census", "base", "finetune@0"]):
            path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # of the `python` in dvc.yaml
            environment = os.environ | environment | {"PATH": path}
            subprocess.run([sys.executable, "-m", *command], cwd=tmp_path / name, env=environment, check=True)
    for table in TABLES:
        (own, facts), (lesser, same) = (
            numbers_and_facts(pd.read_parquet(tmp_path / name / "artifacts" / table)) for name in ("own", "lesser")
        )
        pd.testing.assert_frame_equal(facts, same)
        assert (own.isna() == lesser.isna()).all(None)
        share = (own - lesser).abs().max() / own.abs().max()
        assert share.max() < ROUNDING, f"{table}\n{share}"
