import pytest
import torch

from eisbach import flow
from eisbach.sample import euler


@pytest.mark.parametrize("steps", [1, 5])
def test_a_constant_velocity_is_integrated_exactly(steps):
    data, noise = torch.randn(2, 3, 4, 7)
    torch.testing.assert_close(euler(lambda x, t: noise - data, noise, flow.schedule(steps, 7)), data)


def test_a_gaussian_flow_ends_with_the_data_s_standard_deviation():
    """For data N(0, s^2) the posterior-mean velocity is linear in x, and its flow maps N(0, 1) to N(0, s^2)."""
    scale = 0.3

    def velocity(x, t):
        t = t.view(-1, 1, 1)
        variance = (1 - t) ** 2 * scale**2 + t**2
        return (t - (1 - t) * scale**2) / variance * x

    made = euler(velocity, torch.randn(64, 4, 256, generator=torch.Generator().manual_seed(0)), flow.schedule(400, 256))
    assert abs(made.std().item() - scale) < 0.01


def test_the_velocity_is_evaluated_at_the_times_of_the_schedule_for_every_sample():
    times = []

    def velocity(x, t):
        times.append(t.tolist())
        return torch.zeros_like(x)

    euler(velocity, torch.zeros(2, 1, 300), flow.schedule(4, 300))
    assert times == [[t, t] for t in flow.schedule(4, 300)[:-1].tolist()]
