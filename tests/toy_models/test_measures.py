"""Measures against closed cases, brute force and scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import ConvexHull
from scipy.stats import rankdata, spearmanr

from eisbach.metrics import weights
from toy_models import densities, measures, trajectories
from toy_models.ensemble import beginning
from toy_models.heldout import blind, blind_share, heldout, measure
from toy_models.mixture import NULL
from toy_models.networks import Mlp
from toy_models.outcomes import gaps, least_ratio, of_weights

seeds = st.integers(0, 2**32)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_rank_correlation_is_spearmans(seed):
    a, b = normal(seed, 3, 40), normal(seed + 1, 3, 40)
    expected = [spearmanr(x, y).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    assert np.allclose(measures.rank_correlation(a, b), expected)


@given(arrays(np.float32, (3, 12), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0, 1e30])))
@settings(max_examples=50, deadline=None)
def test_ties_share_the_mean_of_their_ranks(values):
    assert np.array_equal(measures.ranks(torch.from_numpy(values)), rankdata(values, axis=-1) - 1)


@given(
    arrays(np.float64, (2, 12), elements=st.integers(0, 4).map(float)),
    arrays(np.float64, (2, 12), elements=st.integers(0, 4).map(float)),
)
@settings(max_examples=50, deadline=None)
def test_rank_correlation_with_ties_is_spearmans_and_zero_without_an_order(a, b):
    found = measures.rank_correlation(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    for value, x, y in zip(found, a, b, strict=True):
        tied = len(set(x)) == 1 or len(set(y)) == 1
        assert value == pytest.approx(0 if tied else spearmanr(x, y).statistic)


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
    exact = normal(seed, 1, 64, 1, 2).double()
    shift = torch.tensor([size, 0.0], dtype=torch.float64)
    found = float(measures.sliced_wasserstein(exact + shift, exact))
    assert found == pytest.approx(size * 2 / math.pi, rel=0.15)  # E|cos| over directions
    assert float(measures.sliced_wasserstein(exact.flip(1), exact)) == pytest.approx(0, abs=1e-12)


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
    times = (torch.arange(20, dtype=torch.float64).view(20, 1) + 0.5) / 20
    t = times.view(1, -1, 1, 1)
    noise = torch.rand(1, 20, 2, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight = (1 - t) * torch.tensor([0.2, 0.6]).view(1, 1, 2, 1) * (1 + 1e-3 * noise)
    found = of_weights(weight, noise, times)
    assert float(found["w_ratio/contrast_flat"]) == pytest.approx(3, rel=1e-2)
    assert float(found["w_ratio_min_bin/contrast_flat"]) == pytest.approx(3, rel=1e-2)
    assert float(found["w/t<0.2"]) == pytest.approx(0.36, rel=1e-2)
    assert float(found["entropy_loss_rho/t<0.2"]) == pytest.approx(-1)  # B falls as w rises, and w rises with the loss
    assert 0 < float(found["effective_sample_share"]) < 1
    assert float(found["w_spearman_t"]) == pytest.approx(_spearman(weight, t))
    even = of_weights(torch.full((1, 20, 2, 30), 0.3), noise, times)
    assert float(even["effective_sample_share"]) == pytest.approx(1)
    assert float(even["weight_cv"]) == pytest.approx(0, abs=1e-12)
    assert float(even["w_spearman_t"]) == 0


def _spearman(weight, t):
    return spearmanr(weight.flatten(), t.expand_as(weight).flatten()).statistic


def test_held_out_draws_belong_to_the_seed_and_each_part_has_one_time():
    law = trajectories.curves(3, length=6)
    both, alone = heldout(law, 5, [1000, 1001]), heldout(law, 5, [1001])
    for name in ("times", "noisy", "target", "exact", "bayes", "component"):
        two, one = getattr(both, name), getattr(alone, name)
        assert torch.equal(two[:, 1], one[:, 0]), name
        assert not torch.equal(two[:, 0], two[:, 1]), name
    assert torch.equal((both.times * 20).long(), torch.arange(20).view(20, 1).expand(20, 2))
    at = both.times.view(20, 2, 1, 1, 1)
    clean = both.noisy - at * both.target  # x_t - t v
    noise = clean + both.target
    assert clean.std() == pytest.approx(1, abs=0.1)
    assert noise.std() == pytest.approx(1, abs=0.1)
    for seeds_ in (noise, clean):  # no draw of one seed comes back in another, at any time
        flat = seeds_.transpose(0, 1).flatten(1, 2).flatten(2)
        assert torch.cdist(flat[0], flat[1]).min() > 0.1


def test_an_arms_own_seed_is_measured_on_its_own_draws():
    law, network = densities.eight_gaussians(), Mlp(1, 2, width=8)
    weights = beginning(network, [1000, 1001], arms=2)
    weights = {name: weight + 0.1 * normal(0, *weight.shape) for name, weight in weights.items()}
    both, alone = heldout(law, 5, [1000, 1001]), heldout(law, 5, [1001])
    found = measure(network, weights, both)
    for model in (1, 3):  # of seed 1001
        one = measure(network, {name: weight[model : model + 1] for name, weight in weights.items()}, alone)
        for name in ("loss", "excess", "weight"):
            torch.testing.assert_close(getattr(found, name)[model], getattr(one, name)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("curve", "share"),
    [([5, 4, 3, 1], 0.0), ([1, 2, 3], 1.0), ([4, 1, 2], 1 / 3), ([2, 1, 2], 1.0), ([3, 1, 2, 1], 0.5), ([2, 2], 1.0)],
)
def test_a_curve_falls_throughout_or_rises_by_a_share_of_its_range(curve, share):
    found = measures.rise_share(torch.tensor([curve], dtype=torch.float64))
    assert found.item() == pytest.approx(share)
    assert weights.rise_share(np.array(curve, float)) == pytest.approx(share)  # one definition, on both kinds of model


def test_a_rank_correlation_does_not_see_the_turn_that_the_rise_sees():
    """The plane's laws: w falls over most of t and rises at its end."""
    curve = torch.tensor([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.4, 0.6]], dtype=torch.float64)
    assert measures.rank_correlation(curve, torch.arange(10.0).expand(1, -1)) < -0.6
    assert measures.rise_share(curve) > 0.5


def test_a_gap_is_the_distance_to_the_same_seed_s_truth():
    found = {"vendi": torch.tensor([1.0, 5.0, 3.0, 3.0]), "other": torch.zeros(4)}  # two arms of two seeds
    assert gaps(found, {"vendi": torch.tensor([2.0, 4.0])})["gap/vendi"].tolist() == [1, 1, 1, 1]
    assert set(gaps(found, {"vendi": torch.tensor([2.0, 4.0])})) == {"gap/vendi"}


def test_the_least_of_equal_ratios_is_no_smaller_than_they():
    """The plain minimum of ten noisy ratios would be 0.8 here."""
    weight = 0.5 + torch.rand(4000, 10, 2, 2, 12, generator=torch.Generator().manual_seed(0))
    assert float(least_ratio(weight).mean()) == pytest.approx(1, abs=0.02)


def test_the_blind_share_is_nothing_for_the_laws_velocity_without_classes():
    law = trajectories.curves(2)
    held = heldout(law, 6, [1000, 1001])
    truth = blind(law, held, every_nth=4)
    weights = {"any": torch.zeros(2, 1)}

    def untold(weights, noisy, t, label):
        told = label.flatten() if (label != NULL).any() else None
        return law.velocity(noisy.flatten(0, 1), t.flatten(), told).view(noisy.shape).float()

    assert blind_share(untold, weights, held, truth).abs().max() < 1e-10
    nothing = blind_share(lambda weights, noisy, t, label: torch.zeros_like(noisy), weights, held, truth)
    expected = truth.exact.square().mean((0, 2, 3, 4)) / truth.bayes
    torch.testing.assert_close(nothing, expected)
