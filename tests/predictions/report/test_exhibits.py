"""What a claim's page shows of a counterexample."""

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import save_file

from eisbach.barrier import barrier_weight
from predictions.report import exhibits

ARRAYS = {"flatter": np.sqrt([[4.0, 1, 1]]), "steeper": np.sqrt([[4.0, 2, 0]]), "<b>": np.ones((2, 2))}


def test_the_picture_has_a_panel_with_the_weight_of_every_array():
    picture = exhibits.energies(ARRAYS, "name")
    for name, array in ARRAYS.items():
        weight = float(barrier_weight(torch.from_numpy(array)[None]))
        assert f"{name}: weight {weight:.3f}" in picture.alt
        assert f"w = {weight:.3f}" in picture.svg


@pytest.fixture
def results(tmp_path):
    save_file(ARRAYS, tmp_path / "it.safetensors")
    soundfile.write(tmp_path / "flat.flac", np.sin(np.arange(33075) * 0.05) / 2, 44100)
    return tmp_path


def test_arrays_are_drawn_and_clips_can_be_played(results):
    files = {"arrays": "it.safetensors", "audio flat": "flat.flac"}
    missing = []
    shown = exhibits.exhibit({"files": files}, results, results / "report", "name", missing)
    assert shown.picture is not None
    assert [(take.arm, take.seconds) for take in shown.takes] == [("flat", 0.75)]
    assert not missing


@pytest.mark.parametrize(
    "files", [{"arrays": "gone.safetensors"}, {"arrays": "../it.safetensors"}, {"audio a": "gone"}]
)
def test_a_file_that_cannot_be_read_is_left_out_and_reported(results, files):
    missing = []
    shown = exhibits.exhibit({"files": files}, results, results / "report", "name", missing)
    assert shown == exhibits.Exhibit(None, ())
    assert len(missing) == 1
    assert next(iter(files.values())) in missing[0]


def test_a_search_without_files_shows_nothing(results):
    assert exhibits.exhibit({"found": False, "reason": "x"}, results, results, "name", []) == exhibits.Exhibit(None, ())
