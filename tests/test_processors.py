"""Pinned numbers and the smoke pipeline on lesser processors: `pytest -m slow tests/test_processors.py`."""

import os
import subprocess
import sys

import pytest

from tests.processors import LESSER


@pytest.mark.slow
@pytest.mark.parametrize("processor", LESSER)
def test_pinned_numbers_hold(processor):
    """The tests with the marker `reference`, in seconds."""
    command = [sys.executable, "-m", "pytest", "-m", "reference", "-p", "no:cacheprovider"]
    done = subprocess.run(command, env=os.environ | LESSER[processor], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout[-2000:]
