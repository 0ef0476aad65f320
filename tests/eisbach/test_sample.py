import torch

from eisbach import flow
from eisbach.sample import euler


def test_a_straight_flow_is_integrated_exactly():
    data, noise = torch.randn(2, 3, 4, 7)
    for steps in (1, 5):
        torch.testing.assert_close(euler(lambda x, t: noise - data, noise, steps), data)


def test_a_gaussian_flow_ends_with_the_data_s_spread():
    """For data N(0, s^2) the posterior-mean velocity is linear in x; the flow must turn N(0, 1) into N(0, s^2)."""
    scale = 0.3

    def velocity(x, t):
        t = t.view(-1, 1, 1)
        variance = (1 - t) ** 2 * scale**2 + t**2
        return (t - (1 - t) * scale**2) / variance * x

    made = euler(velocity, torch.randn(64, 4, 256, generator=torch.Generator().manual_seed(0)), 400)
    assert abs(made.std().item() - scale) < 0.01


def test_sampling_times_are_the_schedule():
    seen = []
    euler(lambda x, t: seen.append(t[0].item()) or torch.zeros_like(x), torch.zeros(2, 1, 300), 4)
    assert seen == flow.schedule(4, 300)[:-1].tolist()
