"""Metrics against closed cases, brute force and scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import ConvexHull
from scipy.stats import rankdata, spearmanr

from eisbach.metrics import weights
from toy_models import densities, measures, trajectories
from toy_models.outcomes import gaps, weight_metrics

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
def test_ties_get_their_mean_rank(values):
    assert np.array_equal(measures.ranks(torch.from_numpy(values)), rankdata(values, axis=-1) - 1)


@given(
    arrays(np.float64, (2, 12), elements=st.integers(0, 4).map(float)),
    arrays(np.float64, (2, 12), elements=st.integers(0, 4).map(float)),
)
@settings(max_examples=50, deadline=None)
def test_rank_correlation_with_ties_is_spearmans_and_0_for_constant_rows(a, b):
    result = measures.rank_correlation(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    for value, x, y in zip(result, a, b, strict=True):
        constant = len(set(x)) == 1 or len(set(y)) == 1
        assert value == pytest.approx(0 if constant else spearmanr(x, y).statistic)


def area_of_hull(points):
    return ConvexHull(points).volume if len(points) > 2 else 0.0


@given(seeds)
@example(2746374)  # lacks 1.09 % of the area
@settings(max_examples=50, deadline=None)
def test_hull_area_lacks_only_corners_that_turn_by_less_than_the_angle_between_directions(seed):
    """The polygon Q of the farthest points lies in the hull P, so its area is not larger. What it can lack:

    A corner of P is the farthest point in all directions between the outward normals of its two edges. The angle
    between these normals is the angle by which the outline turns at the corner. If that is at least the angle d (2
    degrees) between neighbouring directions, one of the directions lies between the normals, and the corner is in Q.
    Q therefore contains the hull of the corners at which P turns by d or more. Cutting off a single corner that turns
    by less, between edges of lengths a and b, costs a b sin(turn) / 2 < a b sin(d) / 2. There is no bound in per cent
    of P's area: a P thinner than d can lose all of it.
    """
    curve = normal(seed, 1, 1, 2, 12)
    points = curve[0, 0].T.double().numpy()
    corners = points[ConvexHull(points).vertices]  # counterclockwise
    edges = np.roll(corners, -1, axis=0) - corners
    heading = np.arctan2(edges[:, 1], edges[:, 0])
    turn = (heading - np.roll(heading, 1)) % (2 * math.pi)
    assert turn.sum() == pytest.approx(2 * math.pi)
    certain = corners[turn > 2 * math.pi / measures.DIRECTIONS + 1e-9]
    area = float(measures.hull_area(curve))
    assert area_of_hull(certain) * (1 - 1e-9) <= area <= area_of_hull(corners) * (1 + 1e-9)


def test_hull_area_of_a_circle_is_that_of_the_inscribed_polygon_of_180_corners():
    angle = torch.arange(180 * 7, dtype=torch.float64) * 2 * math.pi / (180 * 7)
    circle = torch.stack([angle.cos(), angle.sin()])[None, None]
    assert float(measures.hull_area(circle)) == pytest.approx(90 * math.sin(math.pi / 90), rel=1e-9)


def test_hull_area_ignores_channels_after_the_second():
    curve = normal(0, 1, 4, 5, 12)
    assert torch.equal(measures.hull_area(curve), measures.hull_area(curve[:, :, :2]))


def test_exact_draws_have_the_mass_and_the_modes_of_their_distribution():
    distribution = densities.eight_gaussians()
    samples, _ = distribution.sample(4000, torch.Generator().manual_seed(0))
    mass, modes = measures.contrast_mass_and_modes(distribution, samples.unsqueeze(0))
    assert float(mass) == pytest.approx(0.5, abs=0.03)
    assert float(modes) == pytest.approx(8, abs=0.1)


def test_samples_in_one_mode_on_an_axis_are_one_mode_of_class_contrast():
    distribution = densities.eight_gaussians()
    samples = distribution.means[:1].expand(50, -1, -1).unsqueeze(0)
    mass, modes = measures.contrast_mass_and_modes(distribution, samples)
    assert (float(mass), float(modes)) == (pytest.approx(1, abs=1e-6), pytest.approx(1, abs=1e-6))


def test_vendi_gaussian_counts_distinct_points():
    far = 100 * torch.arange(5.0).repeat(4).view(1, 20, 1, 1)
    assert float(measures.vendi_gaussian(far, 1.0)) == pytest.approx(5)
    assert float(measures.vendi_gaussian(torch.zeros(1, 20, 1, 1), 1.0)) == pytest.approx(1)


@given(seeds, st.floats(0.1, 3))
@settings(max_examples=10, deadline=None)
def test_sliced_wasserstein_of_a_shift_is_its_mean_projection(seed, size):
    exact = normal(seed, 1, 64, 1, 2).double()
    shift = torch.tensor([size, 0.0], dtype=torch.float64)
    distance = float(measures.sliced_wasserstein(exact + shift, exact))
    assert distance == pytest.approx(size * 2 / math.pi, rel=0.15)  # E|cos| over directions


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_sliced_wasserstein_ignores_the_order_of_the_samples(seed):
    exact = normal(seed, 1, 64, 1, 2).double()
    assert float(measures.sliced_wasserstein(exact.flip(1), exact)) == pytest.approx(0, abs=1e-12)


def test_location_entropy_of_curves_is_1_for_uniform_positions_and_0_for_equal_ones():
    uniform = torch.zeros(1, 64, 3, 16)
    uniform[0, torch.arange(64), :, torch.arange(64) % 16] = 1
    assert float(measures.location_entropy(uniform)) == pytest.approx(1)
    assert float(measures.location_entropy(uniform[:, :1].expand(-1, 64, -1, -1))) == pytest.approx(0)


def test_location_entropy_in_the_plane_is_1_for_uniform_cells_and_0_for_equal_ones():
    centres = (torch.arange(12) + 0.5) / 12 * 5 - 2.5
    uniform = torch.cartesian_prod(centres, centres).view(1, 144, 1, 2)
    assert float(measures.location_entropy(uniform)) == pytest.approx(1)
    assert float(measures.location_entropy(uniform[:, :1].expand(-1, 144, -1, -1))) == pytest.approx(0)
    halves = uniform.sign() * 2.4  # the four corners, equally often
    assert float(measures.location_entropy(halves)) == pytest.approx(math.log(4) / math.log(144))


def test_energy_range_of_two_levels_is_their_distance_in_db():
    level = torch.cat([torch.full((10,), 1.0), torch.full((10,), 0.1)])
    assert float(measures.energy_range_db(level.expand(1, 3, 2, -1))) == pytest.approx(20)


def test_participation_ratio_is_the_number_of_independent_channels():
    line = torch.arange(20.0).expand(1, 3, 4, -1)
    assert float(measures.participation_ratio(line)) == pytest.approx(1)
    assert float(measures.participation_ratio(torch.eye(8)[None, None])) == pytest.approx(7)  # centring removes one


@pytest.fixture
def same_envelope():
    """60 curves of one burst with independent random signs."""
    return normal(0, 1, 60, 8, 16).sign() * trajectories.burst(16, 0.5, 0.25).float()


def test_curves_of_one_envelope_and_random_signs_have_equal_envelopes_and_diverse_waveforms(same_envelope):
    assert float(measures.envelope_correlation(same_envelope)) == pytest.approx(1, abs=1e-3)
    assert float(measures.waveform_diversity(same_envelope)) > 0.9


def test_copies_of_a_curve_have_no_waveform_diversity(same_envelope):
    copies = same_envelope[:, :1].expand(-1, 60, -1, -1)
    assert float(measures.waveform_diversity(copies)) == pytest.approx(0, abs=1e-6)


def test_the_envelopes_of_bursts_at_distant_positions_are_not_correlated():
    early, late = (trajectories.burst(16, centre, 0.25).float().expand(8, -1) for centre in (0.25, 0.75))
    assert float(measures.envelope_correlation(torch.stack([early, late])[None])) < 0


def test_the_energies_of_waveforms_are_divided_out_of_their_diversity(same_envelope):
    louder = same_envelope * torch.linspace(0.1, 10, 60).view(1, 60, 1, 1)
    expected = measures.waveform_diversity(same_envelope)
    torch.testing.assert_close(measures.waveform_diversity(louder), expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def designed():
    """A weight that falls with t, three times as large for contrast, with 0.1 % noise; the loss is that noise."""
    times = (torch.arange(20, dtype=torch.float64).view(20, 1) + 0.5) / 20
    t = times.view(1, -1, 1, 1)
    noise = torch.rand(1, 20, 2, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight = (1 - t) * torch.tensor([0.2, 0.6]).view(1, 1, 2, 1) * (1 + 1e-3 * noise)
    return weight, noise, times, {name: float(value) for name, value in weight_metrics(weight, noise, times).items()}


def test_ratios_of_a_designed_weight_are_the_designed_ones(designed):
    *_, metrics = designed
    for name in ("w_ratio/contrast_flat", *(f"w_ratio/contrast_flat/t0.{tenth}" for tenth in range(10))):
        assert metrics[name] == pytest.approx(3, rel=1e-2)


def test_means_of_a_designed_weight_at_both_ends_of_t_are_the_designed_ones(designed):
    *_, metrics = designed
    assert metrics["w/t<0.2"] == pytest.approx(0.4 * 0.9, rel=1e-2)
    assert metrics["w/t>0.8"] == pytest.approx(0.4 * 0.1, rel=1e-2)
    assert metrics["w_rise_share_t"] == 0


def test_the_entropy_falls_with_the_loss_where_the_weight_rises_with_it(designed):
    *_, metrics = designed
    assert metrics["entropy_loss_rho/t<0.2"] == pytest.approx(-1)
    assert metrics["entropy_loss_rho/t>0.8"] == pytest.approx(-1)


def test_the_spread_of_a_designed_weight_is_numpys(designed):
    weight, *_, metrics = designed
    flat = weight.flatten().numpy()
    assert metrics["weight_cv"] == pytest.approx(flat.std(ddof=1) / flat.mean())
    assert metrics["effective_sample_share"] == pytest.approx(flat.mean() ** 2 / (flat**2).mean())


def test_the_pooled_rank_correlation_with_t_is_over_all_draws(designed):
    weight, _, times, metrics = designed
    t = times.view(1, -1, 1, 1).expand_as(weight)
    assert metrics["w_spearman_t_pooled"] == pytest.approx(spearmanr(weight.flatten(), t.flatten()).statistic)


def test_a_constant_weight_has_full_effective_sample_share_no_spread_and_no_rank_correlation(designed):
    _, noise, times, _ = designed
    metrics = weight_metrics(torch.full((1, 20, 2, 30), 0.3), noise, times)
    assert float(metrics["effective_sample_share"]) == pytest.approx(1)
    assert float(metrics["weight_cv"]) == pytest.approx(0, abs=1e-12)
    assert float(metrics["w_spearman_t_pooled"]) == 0


@pytest.mark.parametrize(
    ("curve", "share"),
    [([5, 4, 3, 1], 0.0), ([1, 2, 3], 1.0), ([4, 1, 2], 1 / 3), ([2, 1, 2], 1.0), ([3, 1, 2, 1], 0.5), ([2, 2], 1.0)],
)
def test_the_rise_share_of_toys_and_of_music_is_the_largest_rise_over_the_range(curve, share):
    assert measures.rise_share(torch.tensor([curve], dtype=torch.float64)).item() == pytest.approx(share)
    assert weights.rise_share(np.array(curve, float)) == pytest.approx(share)


def test_the_rise_share_detects_a_turn_that_the_rank_correlation_misses():
    """On the distributions in the plane w falls over most of t and rises at its end."""
    curve = torch.tensor([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.4, 0.6]], dtype=torch.float64)
    assert measures.rank_correlation(curve, torch.arange(10.0).expand(1, -1)) < -0.6
    assert measures.rise_share(curve) > 0.5


def test_a_gap_is_the_distance_to_the_exact_value_of_the_same_seed():
    metrics = {"vendi_gaussian": torch.tensor([1.0, 5.0, 3.0, 3.0]), "other": torch.zeros(4)}  # two arms of two seeds
    result = gaps(metrics, {"vendi_gaussian": torch.tensor([2.0, 4.5]), "other": torch.zeros(2)})
    assert set(result) == {"gap/vendi_gaussian"}
    assert result["gap/vendi_gaussian"].tolist() == [1, 0.5, 1, 1.5]


def test_the_ratio_of_a_tenth_of_t_reads_that_tenth_alone(designed):
    weight, noise, times, metrics = designed
    changed = weight.clone()
    changed[:, 6:8, 1] *= 2  # the fourth tenth of twenty times, contrast
    found = {name: float(value) for name, value in weight_metrics(changed, noise, times).items()}
    assert found["w_ratio/contrast_flat/t0.3"] == pytest.approx(2 * metrics["w_ratio/contrast_flat/t0.3"])
    for tenth in {*range(10)} - {3}:
        name = f"w_ratio/contrast_flat/t0.{tenth}"
        assert found[name] == metrics[name]
