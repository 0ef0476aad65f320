import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eisbach.data.flatten import flatten, typical_radius
from eisbach.seeds import torch_generator


def latents(seed: int = 0) -> torch.Tensor:
    level = torch.linspace(0.2, 3, 6, dtype=torch.float64)
    return level * torch.randn(3, 8, 6, dtype=torch.float64, generator=torch_generator(seed, "flatten"))


EVERYWHERE = torch.ones(3, 6, dtype=torch.bool)


@given(st.integers(0, 99), st.floats(0.05, 1), st.floats(0.1, 5))
def test_the_inverse_power_restores_the_latents(seed, power, radius):
    x = latents(seed)
    assert torch.allclose(flatten(flatten(x, power, radius), 1 / power, radius), x, rtol=1e-9)


@given(st.integers(0, 99), st.floats(0.05, 1))
def test_log_energies_shrink_about_the_typical_radius_by_the_power(seed, power):
    x = latents(seed)
    radius = typical_radius(x, EVERYWHERE)
    before, after = (one.square().mean(1).log() - 2 * math.log(radius) for one in (x, flatten(x, power, radius)))
    assert torch.allclose(after, power * before, atol=1e-9)


def test_directions_stay():
    x = latents()
    assert torch.allclose(torch.cosine_similarity(flatten(x, 0.3, 1.0), x, dim=1), torch.ones(3, 6).double())


def test_silence_stays_silence_and_does_not_count():
    x = latents()
    x[0, :, 0] = 0
    flat = flatten(x, 0.2, typical_radius(x, EVERYWHERE))
    assert (flat[0, :, 0] == 0).all()
    assert flat.isfinite().all()


def test_masked_positions_do_not_change_the_radius():
    x, mask = latents(), EVERYWHERE.clone()
    mask[:, 3:] = False
    radius = typical_radius(x, mask)
    x[..., 3:] = 1e6
    assert typical_radius(x, mask) == radius


@pytest.mark.parametrize(("power", "radius"), [(0, 1), (-1, 1), (0.5, 0), (0.5, math.nan)])
def test_a_power_or_radius_that_is_not_positive_is_an_error(power, radius):
    with pytest.raises(ValueError, match="must be positive"):
        flatten(latents(), power, radius)
