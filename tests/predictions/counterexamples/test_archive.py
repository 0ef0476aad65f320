"""The files that `verify` stores next to verdicts.json."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from eisbach.data import clips
from predictions.counterexamples import archive, searches
from predictions.counterexamples.searches import Counterexample, output

ON_ARRAYS = Counterexample(True, 3, "two outputs", {"one": output([4, 1, 1]), "other": output([4, 2])}, {"one": 0.5})
ON_CLIPS = Counterexample(True, 2, "two clips", clips={"flat": "c", "contrast": "d"})


@pytest.fixture
def corpus(tmp_path):
    """Three clips, of 100, 200 and 300 samples."""
    sounds = []
    for number, clip_id in enumerate("cde", 1):
        sounds.append((clip_id, tmp_path / f"{clip_id}.flac"))
        soundfile.write(sounds[-1][1], np.zeros((100 * number, 2)), 44100)
    clips.write(sounds, tmp_path / "clips.tar")
    return tmp_path / "clips.tar"


def test_arrays_are_stored_as_they_were_found(tmp_path):
    files = archive.entry(ON_ARRAYS, tmp_path, "one")["files"]
    assert set(files) == {"arrays"}
    arrays = load_file(tmp_path / files["arrays"])
    assert arrays.keys() == ON_ARRAYS.arrays.keys()
    assert all(torch.equal(arrays[name], array) for name, array in ON_ARRAYS.arrays.items())


def test_only_the_named_clips_are_copied_from_the_corpus(tmp_path, corpus):
    files = archive.entry(ON_CLIPS, tmp_path, "two", corpus)["files"]
    frames = {kind: soundfile.info(tmp_path / path).frames for kind, path in files.items()}
    assert frames == {"audio flat": 100, "audio contrast": 200}


def test_without_a_corpus_the_entry_still_names_the_clips(tmp_path):
    entry = archive.entry(ON_CLIPS, tmp_path, "two", tmp_path / "gone.tar")
    assert entry["files"] == {}
    assert entry["clips"] == ON_CLIPS.clips


@pytest.mark.parametrize("result", [ON_ARRAYS, ON_CLIPS], ids=["arrays", "clips"])
def test_an_entry_is_json(tmp_path, result):
    entry = archive.entry(result, tmp_path, "name")
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry
    assert (entry["found"], entry["tried"], entry["description"]) == (True, result.tried, result.description)


@pytest.fixture
def one_search(monkeypatch):
    """Leave one search registered, so that the tests take no longer than they must."""
    key = ("flat_is_damped", "analytic")
    monkeypatch.setattr(searches, "SEARCHES", {key: searches.SEARCHES[key]})
    return key


def test_without_a_census_the_reason_is_given(tmp_path, one_search):
    entries = archive.collect(tmp_path, tmp_path / "gone.parquet", tmp_path / "gone.tar")
    assert "gone.parquet is missing" in entries[archive.ON_CLIPS]["reason"]
    assert entries[one_search]["found"]


def test_with_a_census_and_a_corpus_the_clips_are_searched_and_stored(tmp_path, one_search, corpus):
    rows = [("c", "flat", 0.9, 0.2), ("d", "contrast", 0.9, 0.1)]
    census = pd.DataFrame(rows, columns=["clip_id", "contrast_class", "t", "w"])
    census.to_parquet(tmp_path / "census.parquet")
    entries = archive.collect(tmp_path / "out", tmp_path / "census.parquet", corpus)
    assert set(entries) == {one_search, archive.ON_CLIPS}
    found = entries[archive.ON_CLIPS]
    assert found["found"]
    assert all((tmp_path / "out" / path).is_file() for path in found["files"].values())
    assert set(found["files"]) == {"audio flat", "audio contrast"}
