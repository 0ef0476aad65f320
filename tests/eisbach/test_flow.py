import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stable_audio_tools.inference.sampling import DistributionShift, truncated_logistic_normal_rescaled

from eisbach import flow
from eisbach.seeds import torch_generator

lengths = st.integers(1, 6000)


def test_interpolation_is_exact_at_both_ends():
    data, noise = torch.randn(2, 3, 4, 5)
    assert torch.equal(flow.interpolate(data, noise, torch.zeros(3)), data)
    assert torch.equal(flow.interpolate(data, noise, torch.ones(3)), noise)


@pytest.mark.parametrize("shape", [(4, 3, 5), (4, 7), (4,)])
def test_following_the_velocity_back_from_x_t_gives_the_data(shape):
    data, noise, t = torch.randn(shape), torch.randn(shape), torch.rand(4)
    noisy = flow.interpolate(data, noise, t)
    column = t.view(-1, *[1] * (len(shape) - 1))
    torch.testing.assert_close(noisy - column * flow.velocity(data, noise), data)


def test_uniform_times_are_uniform():
    times = flow.uniform_t(20_000, torch_generator(0, "uniform"))
    assert times.min() >= 0
    assert times.max() < 1
    deciles = torch.histc(times, 10, 0, 1) / len(times)
    torch.testing.assert_close(deciles, torch.full((10,), 0.1), atol=0.01, rtol=0)


def test_truncated_logit_normal_times_equal_the_library_s():
    ours = flow.truncated_logit_normal_t(4096, torch.Generator().manual_seed(3))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = 1 - truncated_logistic_normal_rescaled((4096,))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@given(lengths)
def test_the_shift_equals_the_library_s(length):
    t = torch.linspace(0, 0.999, 64)
    torch.testing.assert_close(flow.shift(t, length), DistributionShift().shift(t, length), rtol=1e-5, atol=1e-6)


@given(lengths)
def test_the_shift_keeps_the_order_and_both_ends(length):
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    moved = flow.shift(t, length)
    assert moved[0] == 0
    assert moved[-1] == 1
    assert (moved.diff() > 0).all()


def test_the_schedule_decreases_from_1_to_0():
    times = flow.schedule(7, 108)
    assert len(times) == 8
    assert times[0] == 1
    assert times[-1] == 0
    assert (times.diff() < 0).all()


def test_a_schedule_without_steps_is_refused():
    with pytest.raises(ValueError, match="steps must be at least 1, not 0"):
        flow.schedule(0, 108)


@pytest.mark.parametrize("t", [0.05, 0.3, 0.5, 0.8, 0.95])
def test_the_linear_predictor_is_the_least_squares_slope_for_data_of_unit_variance(t):
    generator = torch_generator(0, "slope", t)
    data, noise = torch.randn(2, 400_000, generator=generator, dtype=torch.float64)
    noisy = (1 - t) * data + t * noise
    slope = (noisy * (noise - data)).sum() / noisy.square().sum()
    assert abs(slope - flow.linear_predictor(t)) < 0.01
