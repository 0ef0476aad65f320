import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.barrier import barrier_weight, position_energy
from predictions import proofs
from predictions.counterexamples import searches
from predictions.counterexamples.searches import levelled, output, smallest, weight


@pytest.fixture(scope="module")
def found():
    return {name: function() for (name, _), function in searches.SEARCHES.items()}


@pytest.mark.parametrize("name", [name for name, _ in searches.SEARCHES])
def test_every_search_finds_a_counterexample(found, name):
    assert found[name].found
    assert found[name].tried > 0
    assert found[name].description


@pytest.mark.parametrize("name", [name for name, _ in searches.SEARCHES])
def test_a_counterexample_has_at_most_eight_numbers(found, name):
    assert all(array.numel() <= 8 for array in found[name].arrays.values())


def test_a_search_returns_the_same_result_every_time(found):
    again = searches.flat_is_damped()
    assert again.description == found["flat_is_damped"].description
    assert again.tried == found["flat_is_damped"].tried


def test_the_flatter_energies_are_majorised_by_the_steeper(found):
    arrays = found["flat_is_damped"].arrays
    flatter, steeper = (position_energy(arrays[name].unsqueeze(0))[0].sort(descending=True).values
                        for name in ("flatter", "steeper"))  # fmt: skip
    assert flatter.sum() == pytest.approx(float(steeper.sum()))
    assert (flatter.cumsum(0) <= steeper.cumsum(0) + 1e-12).all()
    assert (flatter - steeper).abs().max() > 0.5


def test_the_flatter_energies_have_the_larger_weight(found):
    arrays = found["flat_is_damped"].arrays
    assert barrier_weight(arrays["flatter"][None]) > barrier_weight(arrays["steeper"][None])


def test_the_energies_of_the_proof_contradict_the_claim_as_well():
    assert proofs.entropy_is_not_schur_concave_in_the_energies()  # proves it for (4, 1, 1) and (4, 2, 0)
    assert weight(output([4, 1, 1])) > weight(output([4, 2, 0]))


@settings(deadline=None)
@given(levelled())
def test_levelling_keeps_the_sum_and_never_widens_the_range(pair):
    flatter, steeper = pair
    assert sum(flatter) == sum(steeper)
    assert max(flatter) - min(flatter) <= max(steeper) - min(steeper)


def test_the_barrier_turns_the_gradient_of_a_batch(found):
    assert found["confidence_only_scales"].numbers["cosine"] < 0.99


def test_the_barrier_keeps_the_direction_of_a_single_sample():
    one_sample = (1, 2), (0, 0), (0, 1), (0, 0)  # the second output equals its target, so its gradient is 0
    plain, weighted = searches.gradients(one_sample, lambda y: searches.barrier_factor(y, 0.5))
    assert plain.norm() > 0
    assert torch.cosine_similarity(plain, weighted, dim=0) == pytest.approx(1)


def test_a_true_statement_has_no_counterexample():
    value, tried = smallest(st.integers(0, 9), lambda n: n * n < 0)
    assert value is None
    assert tried >= 10


@pytest.fixture
def census():
    rows = [("a", "flat", 0.1, 0.5), ("b", "contrast", 0.1, 0.4), ("c", "flat", 0.9, 0.2), ("d", "contrast", 0.9, 0.1)]
    return pd.DataFrame(rows, columns=["clip_id", "contrast_class", "t", "w"])


def test_the_clips_with_the_largest_ratio_of_weights_at_one_t_are_found(census):
    result = searches.flat_is_damped_on_clips(census)
    assert result.clips == {"flat": "c", "contrast": "d"}
    assert result.numbers == {"flat": 0.2, "contrast": 0.1, "t": 0.9}
    assert result.tried == 2


def test_clips_on_which_contrast_always_weighs_more_give_no_counterexample(census):
    result = searches.flat_is_damped_on_clips(census.assign(w=[0.1, 0.4, 0.1, 0.4]))
    assert not result.found
    assert result.tried == 2
