"""Measures against closed cases, brute force and scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from scipy.stats import spearmanr

from toy_models import densities, measures, trajectories
from toy_models.outcomes import of_weights

seeds = st.integers(0, 2**32)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_rank_correlation_is_spearmans(seed):
    a, b = normal(seed, 3, 40), normal(seed + 1, 3, 40)
    expected = [spearmanr(x, y).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    assert np.allclose(measures.rank_correlation(a, b), expected)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_hull_area_is_the_convex_hulls_to_within_the_angles(seed):
    curve = normal(seed, 1, 1, 2, 12)
    exact = ConvexHull(curve[0, 0].T.numpy()).volume
    assert exact * 0.99 <= float(measures.hull_area(curve)) <= exact * (1 + 1e-9)


def test_exact_samples_have_the_laws_masses_and_modes():
    law = densities.eight_gaussians()
    samples, _ = law.sample(4000, torch.Generator().manual_seed(0))
    mass, modes = measures.masses(law, samples.unsqueeze(0))
    assert float(mass) == pytest.approx(0.5, abs=0.03)
    assert float(modes) == pytest.approx(8, abs=0.1)
    one = law.means[:1].expand(50, -1, -1).unsqueeze(0)  # the first mode lies on an axis
    mass, modes = measures.masses(law, one)
    assert (float(mass), float(modes)) == (pytest.approx(1, abs=1e-6), pytest.approx(1, abs=1e-6))


def test_vendi_counts_distinct_points():
    far = 100 * torch.arange(5.0).repeat(4).view(1, 20, 1, 1)
    assert float(measures.vendi(far, 1.0)) == pytest.approx(5)
    assert float(measures.vendi(torch.zeros(1, 20, 1, 1), 1.0)) == pytest.approx(1)


@given(seeds, st.floats(0.1, 3))
@settings(max_examples=10, deadline=None)
def test_sliced_wasserstein_of_a_shift_is_its_mean_projection(seed, size):
    exact = normal(seed, 64, 1, 2).double()
    shift = torch.tensor([size, 0.0], dtype=torch.float64)
    found = float(measures.sliced_wasserstein((exact + shift).unsqueeze(0), exact))
    assert found == pytest.approx(size * 2 / math.pi, rel=0.15)  # E|cos| over directions
    assert float(measures.sliced_wasserstein(exact.flip(0).unsqueeze(0), exact)) == pytest.approx(0, abs=1e-12)


def test_location_entropy_is_one_when_places_are_even_and_zero_when_alike():
    even = torch.zeros(1, 64, 3, 16)
    even[0, torch.arange(64), :, torch.arange(64) % 16] = 1
    assert float(measures.location_entropy(even)) == pytest.approx(1)
    assert float(measures.location_entropy(even[:, :1].expand(-1, 64, -1, -1))) == pytest.approx(0)


def test_dynamic_range_and_participation_of_known_curves():
    level = torch.cat([torch.full((10,), 1.0), torch.full((10,), 0.1)])
    assert float(measures.dynamic_range_db(level.expand(1, 3, 2, -1))) == pytest.approx(20)
    line = torch.arange(20.0).expand(1, 3, 4, -1)
    assert float(measures.participation_ratio(line)) == pytest.approx(1)
    assert float(measures.participation_ratio(torch.eye(8)[None, None])) == pytest.approx(7)  # a simplex has one fewer


def test_structure_is_in_the_energy_and_detail_in_the_signs():
    envelope = trajectories.burst(16, 0.5, 0.25).float()
    fresh = normal(0, 1, 60, 8, 16).sign() * envelope  # one structure, detail all their own
    structure, detail = measures.consistency_and_detail(fresh)
    assert float(structure) == pytest.approx(1, abs=1e-3)
    assert float(detail) > 0.9
    alike = fresh[:, :1].expand(-1, 60, -1, -1)
    assert float(measures.consistency_and_detail(alike)[1]) == pytest.approx(0, abs=1e-6)


def test_weight_statistics_of_a_designed_weight():
    times = [(index + 0.5) / 20 for index in range(20)]
    t = torch.tensor(times).view(1, -1, 1, 1)
    noise = torch.rand(1, 20, 2, 30, generator=torch.Generator().manual_seed(0))
    weight = (1 - t) * torch.tensor([0.2, 0.6]).view(1, 1, 2, 1) * (1 + 1e-3 * noise)
    found = of_weights(weight, noise, times)
    assert float(found["w_ratio/contrast_flat"]) == pytest.approx(3, rel=1e-2)
    assert float(found["w_ratio_min_bin/contrast_flat"]) == pytest.approx(3, rel=1e-2)
    assert float(found["w/t<0.2"]) == pytest.approx(0.36, rel=1e-2)
    assert float(found["entropy_loss_rho/t<0.2"]) == pytest.approx(-1)  # B falls as w rises, and w rises with the loss
    assert 0 < float(found["effective_sample_share"]) < 1
    even = of_weights(torch.full((1, 20, 2, 30), 0.3), noise, times)
    assert float(even["effective_sample_share"]) == pytest.approx(1)
    assert float(even["weight_cv"]) == pytest.approx(0, abs=1e-12)
