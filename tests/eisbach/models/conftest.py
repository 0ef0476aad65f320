"""A released checkpoint at small widths: a copy to change, and the model that Stability's own factory makes of it."""

import shutil

import pytest

from tests import checkpoints


@pytest.fixture
def folder(released_folder, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(released_folder, tmp_path / "base")


@pytest.fixture(scope="module")
def theirs(released_folder):
    """The same checkpoint, built and loaded by Stability's own factory."""
    return checkpoints.by_stability(released_folder)
