"""The simulation against the barrier on drawn channels, the toys' exact velocity and known statistics."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from eisbach.barrier import barrier_weight
from eisbach.seeds import numpy_generator, torch_generator
from predictions.weight_map import grid, sampling
from predictions.weight_map.measure import place_of, white_part
from predictions.weight_map.place import Place, drawn_energy, envelope
from toy_models.mixture import zero_mean
from toy_models.trajectories import kernel


def generator(name: str = "test", seed: int = 0) -> np.random.Generator:
    return numpy_generator(seed, name)


def latents_at(place: Place, count: int, name: str = "latents") -> np.ndarray:
    """Latents `[count, C, T]` at a place: Gaussian channels times the root of the envelope."""
    draws = generator(name)
    expected = envelope(place, count, draws)
    return np.sqrt(expected)[:, None] * draws.standard_normal((count, int(place.channels), place.length))


def test_drawing_energies_is_drawing_channels():
    place = Place(8, 40, deviation=0.4)
    channels = latents_at(place, 3000)
    weights = barrier_weight(torch.from_numpy(channels)).numpy()
    drawn = sampling.draw(place, 0.0, 3000, generator()).weight
    error = math.hypot(weights.std(), drawn.std()) / math.sqrt(3000)
    assert abs(weights.mean() - drawn.mean()) < 4 * error
    assert weights.std() == pytest.approx(drawn.std(), rel=0.1)


@pytest.mark.parametrize("t", [0.05, 0.3, 0.5, 0.9])
def test_the_output_has_the_energy_of_the_toys_exact_velocity(t):
    """One component whose channels are white in time given a known envelope: spectrum 0."""
    levels = np.linspace(0.3, 2.5, 12)
    mixture = zero_mean([1.0], torch.diag(torch.from_numpy(levels))[None], 16, torch.tensor([0]), torch.tensor([0]))
    draws = torch_generator(0, "toy")
    clean, _ = mixture.sample(4000, draws)
    noisy = (1 - t) * clean + t * torch.randn(clean.shape, dtype=torch.float64, generator=draws)
    energy = mixture.velocity(noisy, torch.full((4000,), t)).square().mean((0, 1)).numpy()
    assert 1 + levels - sampling.ideal_loss(levels, t, 0.0) == pytest.approx(energy, rel=0.05)


@pytest.mark.parametrize("spectrum", [0.5, 1.5, 3.0])
def test_a_log_normal_spectrum_is_the_integral_over_its_eigenvalues(spectrum):
    def integrand(node: float, energy: float, t: float) -> float:
        variance = energy * math.exp(spectrum * node - spectrum**2 / 2)
        loss = variance / ((1 - t) ** 2 * variance + t**2)
        return loss * math.exp(-(node**2) / 2) / math.sqrt(2 * math.pi)

    for energy, t in ((0.5, 0.1), (2.0, 0.4), (1.0, 0.9)):
        exact = integrate.quad(integrand, -12, 12, args=(energy, t), limit=400)[0]
        assert sampling.ideal_loss(np.array([energy]), t, spectrum)[0] == pytest.approx(exact, rel=2e-3)


@given(st.floats(0.01, 30), st.floats(0, 4))
def test_at_both_ends_the_loss_is_that_of_the_noise_and_of_the_data(energy, spectrum):
    at = np.array([energy])
    assert sampling.ideal_loss(at, 0.0, spectrum) == pytest.approx(np.ones(1), rel=1e-9)
    assert sampling.ideal_loss(at, 1.0, spectrum) == pytest.approx(at, rel=2e-3)


@pytest.mark.parametrize("spectrum", [0.5, 2.0, 3.0])
def test_the_spectrum_is_recovered_from_the_losses_that_it_implies(spectrum):
    energy = envelope(Place(64, 50, deviation=0.4), 50, generator())
    losses = {t: float(sampling.ideal_loss(energy, t, spectrum).mean()) for t in (0.1, 0.3, 0.6, 0.9)}
    assert sampling.fit_spectrum(energy, losses) == pytest.approx(spectrum, abs=1e-3)


def test_curves_of_the_toys_have_a_mean_energy_between_white_and_known_data():
    """A smooth kernel makes the data predictable: its ideal output has more energy than that of white data."""
    mixture = zero_mean([1.0], kernel(16, 2.0)[None], 8, torch.tensor([0]), torch.tensor([0]))
    draws = torch_generator(0, "smooth")
    clean, _ = mixture.sample(2000, draws)
    noisy = (clean + torch.randn(clean.shape, dtype=torch.float64, generator=draws)) / 2
    energy = mixture.velocity(noisy, torch.full((2000,), 0.5)).square().mean().item()
    white, known = 2 - sampling.ideal_loss(np.ones(1), 0.5, 0.0)[0], 2.0
    assert white < energy < known


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 9), st.sampled_from([0.0, 0.5, 0.95]), st.floats(0.1, 0.6))
def test_a_place_is_recovered_from_latents_drawn_there(seed, correlation, deviation):
    place = Place(64, 108, scale=1.3, deviation=deviation, correlation=correlation)
    draws = generator("recovered", seed)
    energy = drawn_energy(place, 400, draws)
    directions = draws.standard_normal((400, 64, 108))
    directions /= np.sqrt(np.square(directions).mean(1, keepdims=True))
    found = place_of(np.sqrt(energy)[:, None] * directions)
    assert found.scale == pytest.approx(1.3, rel=0.08)
    if correlation:  # energy that is white in time cannot be told from fewer channels
        assert found.deviation == pytest.approx(deviation, rel=0.15, abs=0.03)
        # Over ten seeds the standard deviation is .004 at .95; at .5 it is .027 to .046 and the bias -.02 to -.045.
        error = 0.03 if correlation > 0.9 else 0.12 + 0.008 / deviation
        assert found.correlation == pytest.approx(correlation, abs=error)
        assert found.heterogeneity < 0.25


def test_a_small_correlation_is_recovered_without_bias_from_the_channels_noise():
    """The mean of a sample keeps 1/T of the channels' noise; a correlation of .5 came out as .67 without that."""
    place = Place(64, 108, deviation=0.125, correlation=0.5)
    found = [place_of(latents_at(place, 400, f"unbiased {seed}")).correlation for seed in range(4)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("deviation", [0.2, 0.4])
def test_the_weight_at_a_measured_place_is_that_of_the_latents(deviation):
    latents = latents_at(Place(32, 60, deviation=deviation, heterogeneity=0.3), 2000)
    weights = barrier_weight(torch.from_numpy(latents)).numpy()
    predicted = sampling.draw(place_of(latents), 0.0, 2000, generator()).weight
    assert predicted.mean() == pytest.approx(weights.mean(), rel=0.03)
    assert predicted.std() == pytest.approx(weights.std(), rel=0.35)


def test_white_noise_lies_at_deviation_zero_and_keeps_its_channels():
    place = place_of(generator().standard_normal((40, 64, 108)))
    assert place.deviation < 0.05
    assert place.channels == pytest.approx(64, rel=0.1)


def test_energies_flatter_than_gaussian_channels_have_more_channels_than_the_data():
    noise = generator().standard_normal((40, 16, 50))
    flat = noise / np.sqrt(np.square(noise).mean(1, keepdims=True)) ** 0.8
    assert place_of(flat).channels > 100


def test_masked_positions_change_nothing():
    latents = generator().standard_normal((6, 4, 12)) * np.linspace(0.5, 2, 12)
    mask = np.ones((6, 12), bool)
    mask[:, 8:] = False
    before = place_of(latents, mask)
    latents[..., 8:] = np.nan
    assert place_of(np.where(np.isnan(latents), 1e6, latents), mask) == before


@pytest.mark.parametrize(
    ("latents", "words"),
    [
        (np.zeros((3, 4, 5)), "not all 0"),
        (np.full((3, 4, 5), np.nan), "must be finite"),
        (np.ones((3, 4, 1)), "at least two valid positions"),
    ],
)
def test_latents_without_a_place_are_an_error(latents, words):
    with pytest.raises(ValueError, match=words):
        place_of(latents)


def test_the_white_part_of_an_autoregression_plus_noise_is_the_noise():
    path = envelope(Place(64, 200, deviation=0.3, correlation=0.9), 2000, generator())
    noise = 0.2 * generator("noise").standard_normal(path.shape)
    relative = path / path.mean() - 1 + noise
    assert white_part(relative, np.ones(path.shape, bool)) == pytest.approx(0.04, rel=0.15)


def test_the_jackknife_is_the_spread_of_the_coefficient_over_repetitions():
    place = Place(32, 30, deviation=0.4)
    found = [sampling.spread(sampling.draw(place, 0.0, 100, generator("many", n)).weight, 0.5) for n in range(200)]
    spread = np.std([one["factor_cv"] for one in found])
    assert np.mean([one["factor_cv_se"] for one in found]) == pytest.approx(spread, rel=0.25)


def test_equal_weights_have_no_spread_and_no_ratio_of_classes():
    even = sampling.Draws(np.full(9, 0.1), np.full(9, 0.3), np.zeros(9))
    found = sampling.statistics(even, 0.5)
    assert found["factor_cv"] == pytest.approx(0)
    assert found["effective_share"] == pytest.approx(1)
    assert math.isnan(found["class_ratio"])


def test_a_cell_is_the_same_every_time_and_at_each_lambda():
    place = Place(16, 20, deviation=0.3)
    first, again = (grid.cell(place, 0.2, 0.5, 0, 20) for _ in range(2))
    assert first == again
    assert grid.cell(place, 0.2, 1.0, 0, 20)["w"] == first["w"]
    assert grid.cell(place, 0.2, 0.5, 1, 20)["w"] != first["w"]


@pytest.mark.parametrize("axis", ["deviation", "scale"])
def test_more_variation_or_scale_raises_the_clean_weight(axis):
    values = {"deviation": (0.0, 0.3, 0.6), "scale": (0.5, 1.0, 2.0)}[axis]
    weights = [grid.cell(replace(grid.REFERENCE, **{axis: value}), 0.0, 0.5, 0, 200)["w"] for value in values]
    assert weights == sorted(weights)
