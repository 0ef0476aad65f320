"""A released checkpoint at small widths: a copy to change, and the model that Stability's own factory makes of it."""

import shutil

import pytest
from safetensors.torch import load_file
from stable_audio_tools.models.factory import create_model_from_config

from eisbach.models import hub
from tests import checkpoints


@pytest.fixture
def folder(released_folder, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(released_folder, tmp_path / "base")


@pytest.fixture(scope="module")
def theirs(released_folder):
    """The same checkpoint, built and loaded by Stability's own factory."""
    config = checkpoints.small_widths()
    encoder = config["model"]["conditioning"]["configs"][0]["config"]
    del encoder["repo_id"]
    encoder["model_path"] = str(released_folder)
    model = create_model_from_config(config)
    model.load_state_dict(load_file(released_folder / hub.WEIGHTS))
    model.conditioner.conditioners["prompt"].model.float()
    return model.eval().requires_grad_(False)
