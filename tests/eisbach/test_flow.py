import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stable_audio_tools.inference.sampling import DistributionShift, truncated_logistic_normal_rescaled

from eisbach import flow
from eisbach.seeds import torch_generator

lengths = st.integers(1, 6000)


def test_both_ends_are_exact():
    data, noise = torch.randn(2, 3, 4, 5)
    assert torch.equal(flow.interpolate(data, noise, torch.zeros(3)), data)
    assert torch.equal(flow.interpolate(data, noise, torch.ones(3)), noise)


def test_velocity_leads_back_to_the_data():
    data, noise, t = torch.randn(4, 3, 5), torch.randn(4, 3, 5), torch.rand(4)
    noisy = flow.interpolate(data, noise, t)
    torch.testing.assert_close(flow.clean(noisy, flow.velocity(data, noise), t), data)


def test_truncated_logit_normal_is_the_released_one():
    ours = flow.truncated_logit_normal_t(4096, torch.Generator().manual_seed(3))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = 1 - truncated_logistic_normal_rescaled((4096,))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@given(lengths)
def test_shift_is_the_released_one(length):
    t = torch.linspace(0, 0.999, 64)
    torch.testing.assert_close(flow.shift(t, length), DistributionShift().shift(t, length), rtol=1e-5, atol=1e-6)


@given(lengths)
def test_shift_keeps_order_and_ends(length):
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    moved = flow.shift(t, length)
    assert moved[0] == 0
    assert moved[-1] == 1
    assert (moved.diff() > 0).all()


def test_schedule_runs_from_noise_to_data():
    times = flow.schedule(7, 108)
    assert len(times) == 8
    assert times[0] == 1
    assert times[-1] == 0
    assert (times.diff() < 0).all()
    with pytest.raises(ValueError, match="steps"):
        flow.schedule(0, 108)


@pytest.mark.parametrize("t", [0.05, 0.3, 0.5, 0.8, 0.95])
def test_linear_predictor_is_the_least_squares_slope_for_unit_data(t):
    generator = torch_generator(0, "slope", t)
    data, noise = torch.randn(2, 400_000, generator=generator, dtype=torch.float64)
    noisy = (1 - t) * data + t * noise
    slope = (noisy * (noise - data)).sum() / noisy.square().sum()
    assert abs(slope - flow.linear_predictor(t)) < 0.01
