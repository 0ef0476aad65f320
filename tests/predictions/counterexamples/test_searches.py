import json

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from eisbach.barrier import barrier_weight, position_energy
from predictions.counterexamples import exhibits
from predictions.counterexamples import searches as counterexample
from predictions.counterexamples.searches import levelled, output, smallest, weight
from predictions.proofs import derivations as proofs


@pytest.fixture(scope="module")
def found():
    return {name: function() for (name, _), function in counterexample.SEARCHES.items()}


def test_every_universal_claim_breaks_on_a_small_input(found):
    assert all(result.found for result in found.values())
    assert all(array.numel() <= 8 for result in found.values() for array in result.arrays.values())


def test_the_same_search_finds_the_same(found):
    again = counterexample.flat_is_damped()
    assert again.description == found["flat_is_damped"].description
    assert again.tried == found["flat_is_damped"].tried


def test_the_flatter_energies_are_majorised_and_weigh_more(found):
    arrays = found["flat_is_damped"].arrays
    flatter, steeper = (position_energy(arrays[name].unsqueeze(0))[0].sort(descending=True).values
                        for name in ("flatter", "steeper"))  # fmt: skip
    assert flatter.sum() == pytest.approx(float(steeper.sum()))
    assert (flatter.cumsum(0) <= steeper.cumsum(0) + 1e-12).all()
    assert barrier_weight(arrays["flatter"][None]) > barrier_weight(arrays["steeper"][None])


def test_the_pair_of_the_proof_is_a_counterexample_too():
    assert weight(output([4, 1, 1])) > weight(output([4, 2, 0]))
    assert proofs.entropy_is_not_schur_concave_in_the_energies()


@settings(deadline=None)
@given(levelled())
def test_a_transfer_keeps_the_sum_and_never_widens(pair):
    flatter, steeper = pair
    assert sum(flatter) == sum(steeper)
    assert max(flatter) - min(flatter) <= max(steeper) - min(steeper)


def test_a_batch_is_turned_and_one_sample_is_not(found):
    assert found["confidence_only_scales"].numbers["cosine"] < 0.99
    alone = (1, 2), (0, 0), (0, 1), (0, 0)
    plain, weighted = counterexample.gradients(alone, lambda y: counterexample.barrier_factor(y, 0.5))
    assert torch.cosine_similarity(plain, weighted, dim=0) == pytest.approx(1)


def test_a_true_statement_has_no_counterexample():
    value, tried = smallest(st.integers(0, 9), lambda n: n * n < 0)
    assert value is None
    assert tried >= 10


@pytest.fixture
def census():
    rows = [("a", "flat", 0.1, 0.5), ("b", "contrast", 0.1, 0.4), ("c", "flat", 0.9, 0.2), ("d", "contrast", 0.9, 0.1)]
    return pd.DataFrame(rows, columns=["clip_id", "contrast_class", "t", "w"])


def test_the_clips_with_the_largest_ratio_at_one_t_are_found(census):
    result = counterexample.flat_is_damped_on_clips(census)
    assert result.clips == {"flat": "c", "contrast": "d"}
    assert result.tried == 2
    assert not counterexample.flat_is_damped_on_clips(census.assign(w=[0.1, 0.4, 0.1, 0.4])).found


def test_what_is_found_is_saved_drawn_and_cut_from_the_corpus(tmp_path, found, census):
    import numpy as np
    import soundfile

    from eisbach.data import clips

    sound = tmp_path / "c.flac"
    soundfile.write(sound, np.zeros((100, 2)), 44100)
    clips.write([("c", sound), ("d", sound), ("e", sound)], tmp_path / "clips.tar")
    entry = exhibits.entry(found["flat_is_damped"], tmp_path, "one")
    arrays = load_file(tmp_path / entry["files"]["arrays"])
    assert all(torch.equal(arrays[name], array) for name, array in found["flat_is_damped"].arrays.items())
    picture = (tmp_path / entry["files"]["picture"]).read_text()
    assert picture.startswith("<svg")
    assert f"w = {weight(arrays['flatter']):.3f}" in picture
    assert picture == exhibits.picture(found["flat_is_damped"])
    result = counterexample.flat_is_damped_on_clips(census)
    heard = exhibits.entry(result, tmp_path, "two", tmp_path / "clips.tar")
    assert set(heard["files"]) == {"audio flat", "audio contrast"}
    assert soundfile.info(tmp_path / heard["files"]["audio flat"]).frames == 100
    json.dumps([entry, heard], allow_nan=False)


def test_without_a_census_the_reason_is_given(tmp_path, monkeypatch):
    only = ("flat_is_damped", "analytic")
    monkeypatch.setattr(counterexample, "SEARCHES", {only: counterexample.SEARCHES[only]})
    entries = exhibits.collect(tmp_path, tmp_path / "gone.parquet", tmp_path / "gone.tar")
    assert "gone.parquet is missing" in entries["flat_is_damped", "small"]["reason"]
    assert entries["flat_is_damped", "analytic"]["found"]
