"""The energies of a posterior mean against exact velocities of Gaussian data, and its limits."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from eisbach.barrier import barrier_weight
from eisbach.seeds import numpy_generator, torch_generator
from predictions.weight_map import by_t, medium, posterior, sampling
from predictions.weight_map.place import Place
from toy_models.mixture import zero_mean

TIMES = st.floats(0.02, 0.98)


@settings(max_examples=10, deadline=None)
@example(t=1 / 3, low=0.5, high=1.0, seed=0)
@given(t=TIMES, low=st.floats(0.05, 1), high=st.floats(1, 6), seed=st.integers(0, 9))
def test_white_data_of_known_energy_have_the_energies_and_weights_of_the_toys_exact_velocity(t, low, high, seed):
    assume(high > 1.01 * low)  # at t = .5 the exact velocity of unit energy is 0 everywhere
    levels = np.geomspace(low, high, 20)
    toy = zero_mean([1.0], torch.diag(torch.from_numpy(levels))[None], 32, torch.tensor([0]), torch.tensor([0]))
    draws = torch_generator(seed, "posterior")
    clean, _ = toy.sample(400, draws)
    noisy = (1 - t) * clean + t * torch.randn(clean.shape, dtype=torch.float64, generator=draws)
    exact = toy.velocity(noisy, torch.full((400,), t))
    expected = np.broadcast_to(levels, (400, 20))
    energy = posterior.output_energy(
        clean.square().mean(1).numpy(), expected, posterior.linear_loss(expected, t), t, 32, numpy_generator(seed)
    )
    square = exact.square().mean(1).numpy()
    assert np.corrcoef(energy.ravel(), square.ravel())[0, 1] > 0
    error = np.sqrt((energy.var(0) + square.var(0)) / 400)
    assert (np.abs(energy.mean(0) - square.mean(0)) <= 5 * error + 1e-12).all()  # 1e-12: energies that are 0
    found, wanted = sampling.weights(energy)[1], barrier_weight(exact).numpy()
    assert abs(found.mean() - wanted.mean()) < 5 * np.hypot(found.std(), wanted.std()) / 20


@settings(max_examples=25, deadline=None)
@given(t=TIMES, energy=st.floats(0.05, 8), share=st.floats(0, 1.5))
def test_the_mean_energy_is_one_plus_the_datas_less_the_loss(t, energy, share):
    expected = np.full((2000, 16), energy)
    largest = posterior.linear_loss(expected, t)
    generator = numpy_generator(0, "mean")
    clean = expected * generator.gamma(32, 1 / 32, expected.shape)
    made = posterior.output_energy(clean, expected, share * largest, t, 64, generator)
    wanted = 1 + energy - min(share, 1) * largest[0, 0]
    assert made.mean() == pytest.approx(wanted, abs=6 * made.std() / np.sqrt(made.size) + 1e-9)


def test_at_time_zero_the_energies_are_the_datas_and_at_one_they_are_the_noises():
    clean = numpy_generator(0, "ends").gamma(2, 1, (50, 30))
    expected = np.ones_like(clean)
    zero = posterior.output_energy(clean, expected, np.ones_like(clean), 0.0, 64, numpy_generator(1))
    one = posterior.output_energy(clean, expected, expected, 1.0, 64, numpy_generator(1))
    assert zero == pytest.approx(clean)
    assert abs(np.corrcoef(one.ravel(), clean.ravel())[0, 1]) < 0.1
    assert one.var() == pytest.approx(2 / 64, rel=0.15)


@given(elasticity=st.floats(0, 2), loss=st.floats(0.1, 2))
def test_the_local_loss_has_the_mean_and_the_elasticity_that_it_is_given(elasticity, loss):
    energies = numpy_generator(0, "local").gamma(4, 0.25, (40, 1))
    local = posterior.local_loss(energies, loss, elasticity)
    assert local.mean() == pytest.approx(loss)
    assert posterior.elasticity(energies[:, 0], local[:, 0]) == pytest.approx(elasticity, abs=1e-9)


def test_smoothing_ignores_masked_positions_and_keeps_constants():
    energy, mask = np.full((2, 12), 3.0), np.ones((2, 12), bool)
    mask[0, 7:] = False
    energy[~mask] = 1e6
    smoothed = posterior.smooth(energy, mask)
    assert smoothed[mask] == pytest.approx(np.full(mask.sum(), 3.0))
    assert smoothed[0, 11] == 0


def test_the_losses_learnt_from_a_table_are_its_own_at_its_times_and_the_ideal_ones_at_the_ends():
    rows = pd.DataFrame({"power": [1, 1], "t": [0.2, 0.6], "measured_loss": [0.7, 0.6], "elasticity": [0.5, 0.8]})
    expected = np.array([[0.5, 1.5]])
    assert medium.learnt_loss(rows, 0.0)(expected) == pytest.approx(np.ones((1, 2)))
    assert medium.learnt_loss(rows, 1.0)(expected) == pytest.approx(expected)
    assert medium.learnt_loss(rows, 0.6)(expected).mean() == pytest.approx(0.6)


def test_energies_predict_the_weight_of_a_models_outputs_on_envelopes():
    """Envelope data, whose exact model is the white one given the envelope: the clean energies and the loss suffice."""
    data = np.exp(0.4 * numpy_generator(3).standard_normal((200, 1, 40)))
    levels = np.broadcast_to(data.mean(1), (200, 40))
    draws = torch_generator(3, "envelopes")
    clean = torch.randn(200, 32, 40, dtype=torch.float64, generator=draws) * torch.from_numpy(np.sqrt(data))
    noise, t = torch.randn(clean.shape, dtype=torch.float64, generator=draws), 0.4
    slope = (t - (1 - t) * data) / ((1 - t) ** 2 * data + t**2)
    exact = torch.from_numpy(slope) * ((1 - t) * clean + t * noise)
    energies = by_t.Energies(clean.square().mean(1).numpy(), levels, np.ones((200, 40), bool), 32)
    found = energies.weights(t, posterior.linear_loss(levels, t), numpy_generator(4))
    wanted = barrier_weight(exact).numpy()
    assert found.mean() == pytest.approx(wanted.mean(), rel=0.05)
    assert found.std() == pytest.approx(wanted.std(), rel=0.3)


@pytest.fixture(scope="module")
def bands() -> pd.DataFrame:
    rows = pd.DataFrame({"power": [1], "t": [0.5], "measured_loss": [0.6], "elasticity": [0.6]})
    return medium.band("10 s", rows, 0, 8)


def test_the_forecast_is_the_response_times_the_spread(bands):
    found = medium.forecast(bands, [medium.Response("distance", 2.0, 1.0, 3.0)])
    assert list(found["lam"]) == [0.5, 1.0]
    row = found.iloc[0]
    assert row["effect"] == pytest.approx(2 * row["spread_high"])
    assert row["effect_low"] == pytest.approx(row["spread_low"])
    assert row["effect_high"] == pytest.approx(3 * row["spread_high"])
    assert row["share_high"] == pytest.approx(row["spread_high"] / np.sqrt(2 / 3))
    assert 0 < row["spread_low"] < row["spread_high"] < bands["factor_cv"].max()


def test_a_forecast_without_bands_or_responses_is_an_error(bands):
    with pytest.raises(ValueError, match="at least one measured response"):
        medium.forecast(bands, [])


def test_a_place_with_a_measured_loss_differs_from_the_ideal_one():
    place = Place(32, 40, deviation=0.4)
    ideal = sampling.draw(place, 0.5, 200, numpy_generator(0)).weight
    worse = sampling.draw(place, 0.5, 200, numpy_generator(0), lambda expected: 0.5 * expected / expected.mean()).weight
    assert not np.allclose(ideal, worse)
