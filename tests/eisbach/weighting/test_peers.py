"""The published alternatives: closed forms of their factors, and their settings."""

import math

import pytest
import torch

from eisbach.seeds import torch_generator
from eisbach.weighting import (
    make,
)


def times(*values: float) -> tuple:
    return torch.zeros(len(values), 1, 2), None, torch.tensor(values)


def test_min_snr_is_the_clean_samples_weight_times_t_squared():
    t = torch.tensor([0.1, 0.3, 0.5, 0.9])
    snr = ((1 - t) / t) ** 2
    assert (snr > 5).any()
    assert (snr < 5).any()
    torch.testing.assert_close(make("min_snr")(*times(*t.tolist())), snr.clamp(max=5) * t**2)
    torch.testing.assert_close(make("min_snr", gamma=1.0)(*times(*t.tolist())), snr.clamp(max=1) * t**2)
    assert make("min_snr")(*times(0.0, 1.0)).tolist() == [0, 0]


@pytest.mark.parametrize(("name", "setting"), [("min_snr", "gamma"), ("logit_normal", "scale")])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_a_peers_setting_is_checked_when_the_arm_is_made(name, setting, value):
    with pytest.raises(ValueError, match=rf"^{setting} must be above 0; got {value}$"):
        make(name, **{setting: value})


@pytest.mark.parametrize(("location", "scale"), [(0.0, 1.0), (0.5, 0.7)])
def test_logit_normal_is_the_density_of_a_squashed_normal(location, scale):
    grid = (torch.arange(20000) + 0.5) / 20000
    factor = make("logit_normal", location=location, scale=scale)(*times(*grid.tolist()))
    assert factor.double().mean().item() == pytest.approx(1, abs=1e-5)
    below = (factor.double() * (grid < 0.7)).mean().item()
    quantile = (math.log(0.7 / 0.3) - location) / scale
    assert below == pytest.approx(0.5 * (1 + math.erf(quantile / math.sqrt(2))), abs=2e-4)


def test_logit_normal_vanishes_at_both_ends_and_is_standard_by_default():
    assert make("logit_normal")(*times(0.0, 1.0)).tolist() == pytest.approx([0, 0], abs=1e-100)
    assert make("logit_normal")(*times(0.5)).item() == pytest.approx(4 / math.sqrt(2 * math.pi))


def test_edm2_starts_at_one_and_its_penalty_at_zero():
    arm = make("edm2")
    t = torch.linspace(0, 1, 5)
    assert torch.equal(arm(torch.zeros(5, 1, 2), None, t), torch.ones(5))
    assert torch.equal(arm.penalty(t), torch.zeros(5))
    assert torch.equal(arm.penalty(t.double()), torch.zeros(5, dtype=torch.float64))
    assert [parameter.shape for parameter in arm.parameters()] == [(1, 128), (1,)]


def test_edm2_features_have_unit_variance_and_belong_to_the_seed():
    arm = make("edm2", features=4096)
    torch.nn.init.ones_(arm.head.weight)
    per_feature = arm.penalty(torch.tensor([0.3])).item() / math.sqrt(4096)
    assert abs(per_feature) < 4  # a sum of 4096 unit-variance features
    torch.manual_seed(3)
    generator = torch_generator(0, "edm2")
    assert torch.equal(make("edm2").frequency, torch.randn(128, generator=generator))
    assert torch.equal(make("edm2").phase, torch.rand(128, generator=generator))
    assert not torch.equal(make("edm2").frequency, make("edm2", seed=1).frequency)
    assert not torch.equal(make("edm2").phase, make("edm2", seed=1).phase)
    phases = make("edm2", features=4096).phase
    assert (phases.min() >= 0) & (phases.max() <= 1) & (phases.std() > 0.25)
    one = make("edm2", features=1)
    one.load_state_dict(
        {
            "frequency": torch.tensor([2.0]),
            "phase": torch.tensor([0.25]),
            "head.weight": torch.tensor([[3.0]]),
            "head.bias": torch.tensor([0.5]),
        }
    )
    expected = 3 * math.sqrt(2) * math.cos(2 * math.pi * (2 * 0.3 + 0.25)) + 0.5
    assert one.penalty(torch.tensor([0.3])).item() == pytest.approx(expected, rel=1e-5)
    assert one(torch.zeros(1, 1, 2), None, torch.tensor([0.3])).item() == pytest.approx(math.exp(-expected), rel=1e-5)
