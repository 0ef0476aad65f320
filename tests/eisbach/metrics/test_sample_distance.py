"""Distances between samples in dB."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.metrics import sample_distance

PROMPTS, NOISES = 3, 2


def spectra(seed: int) -> list[list[np.ndarray]]:
    draw = np.random.default_rng(seed)
    return [[draw.normal(-40, 10, (4, 5 + prompt)) for _ in range(NOISES)] for prompt in range(PROMPTS)]


@given(st.floats(-20, 20))
def test_a_change_of_level_is_its_decibels(gain):
    one = spectra(0)
    louder = [[clip + gain for clip in group] for group in one]
    assert sample_distance.paired(one, louder) == pytest.approx(abs(gain))


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_spectra_obey_the_axioms_of_a_distance(first, second, third):
    one, other, last = (spectra(seed)[0][0] for seed in (first, second, third))
    distance = sample_distance.rms_db
    assert distance(one, one) == 0
    assert distance(one, other) == distance(other, one)
    assert distance(one, last) <= distance(one, other) + distance(other, last) + 1e-9


def test_only_samples_of_the_same_prompt_and_noise_are_compared():
    one = spectra(0)
    swapped = [group[::-1] for group in one]
    assert sample_distance.paired(one, one) == 0
    assert sample_distance.paired(one, swapped) == pytest.approx(sample_distance.across_noise(one))


def test_an_arm_without_the_references_has_the_distance_of_noises_alone():
    arms = {"barrier": spectra(0), "baseline": spectra(1)}
    assert set(sample_distance.metrics(arms, "barrier")) == {"sample_distance_db/baseline", "sample_distance_db/noise"}
    assert np.isnan(sample_distance.across_noise([[np.zeros((2, 2))]]))


def test_a_missing_prompt_or_noise_is_refused():
    with pytest.raises(ValueError, match="zip"):
        sample_distance.paired(spectra(0), spectra(0)[1:])
