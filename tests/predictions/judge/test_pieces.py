"""Weights of a given model: statistics of resampled pieces against scipy and pandas on the replicated data."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from eisbach.metrics import weights
from predictions.judge import pieces

CLASSES = ("flat", "contrast", "middle")


def grid(rng, number=24, times=20, ties=False, shared=0.0, per_piece=2):
    """A grid of random weights; with `ties` rounded, with `shared` an effect that all clips of a piece have."""
    piece = np.repeat(np.arange(number // per_piece), per_piece)
    effect = shared * rng.standard_normal(piece.max() + 1)[piece]
    w, entropy, loss = (np.exp(0.3 * (rng.standard_normal((times, number)) + effect)) for _ in range(3))
    if ties:
        entropy, loss = entropy.round(1), loss.round(1)
    t = (np.arange(times) + 0.5) / times
    classes = np.array([CLASSES[index % 3] for index in range(number // per_piece)])[piece]
    return pieces.Grid(w, entropy, loss, t, classes, piece)


def census(of):
    """The table of a grid, one row per clip and t."""
    rows = [
        {"clip_id": f"c{clip:03d}", "t": t, "contrast_class": of.classes[clip], "w": of.w[i, clip],
         "entropy": of.entropy[i, clip], "loss": of.loss[i, clip]}
        for i, t in enumerate(of.times) for clip in range(len(of.pieces))
    ]  # fmt: skip
    return pd.DataFrame(rows)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=12))
def test_the_weighted_rank_correlation_is_scipy_s_on_replicated_data(triples):
    one, other, counts = (np.array(column) for column in zip(*triples, strict=True))
    if counts.sum() == 0:
        return
    found = pieces.weighted_spearman(one[None].astype(float), other[None].astype(float), counts[None].astype(float))
    replicated = one.repeat(counts), other.repeat(counts)
    if any(len(np.unique(values)) < 2 for values in replicated):
        assert np.isnan(found).all()
    else:
        assert found[0, 0] == pytest.approx(stats.spearmanr(*replicated).statistic)


@pytest.mark.parametrize("ties", [False, True])
def test_statistics_of_every_clip_once_are_those_of_the_table(ties):
    of = grid(np.random.default_rng(1), ties=ties)
    wanted = weights.weight_metrics(census(of))
    names = ("w/t<0.2", "w/t>0.8", "w_ratio/contrast_flat", "entropy_loss_rho/t<0.2", "entropy_loss_rho/t>0.8")
    for name in names:
        assert pieces.estimates(of, name, 10)[0] == pytest.approx(wanted[name]), name


def test_statistics_of_a_resample_are_those_of_the_replicated_table():
    of = grid(np.random.default_rng(2))
    table = census(of)
    for counts in pieces.resampled(of.pieces, 5, seed=3):
        copies = [
            table[table["clip_id"] == f"c{clip:03d}"].assign(clip_id=f"c{clip:03d}.{copy}")
            for clip, count in enumerate(counts.astype(int))
            for copy in range(count)
        ]
        wanted = weights.weight_metrics(pd.concat(copies))
        for name in ("w/t<0.2", "w_ratio/contrast_flat"):
            assert pieces.statistic(name)(of, counts[None])[0] == pytest.approx(wanted[name])


def test_a_ratio_in_a_tenth_of_t_reads_that_tenth_alone():
    of = grid(np.random.default_rng(0))
    table = census(of)
    means = table[(table["t"] >= 0.3) & (table["t"] < 0.4)].groupby("contrast_class")["w"].mean()
    assert pieces.estimates(of, "w_ratio/contrast_flat/t0.3", 10)[0] == pytest.approx(means["contrast"] / means["flat"])


def test_every_t_lies_in_exactly_one_tenth():
    t = np.linspace(0, 1, 2001)[:-1]
    ends = [pieces.tenth(f"t{index / 10:.1f}") for index in range(10)]
    assert (sum((t >= low) & (t < high) for low, high in ends) == 1).all()


def test_clips_of_one_piece_are_drawn_together_and_pieces_as_often_as_there_are():
    piece = np.array(["a", "a", "b", "c", "c", "c"])
    counts = pieces.resampled(piece, 500)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, [0, 2, 3]].sum(1) == 3).all()
    assert counts[:, 2].mean() == pytest.approx(1, abs=0.15)


def test_the_bootstrap_is_seeded_and_pairs_metrics():
    of = grid(np.random.default_rng(0))
    first, second = (pieces.estimates(of, "w/t<0.2", 300)[1] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_class_without_clips_has_no_ratio_and_an_unbounded_interval():
    of = grid(np.random.default_rng(0))
    alone = pieces.Grid(of.w, of.entropy, of.loss, of.times, np.full(24, "flat"), of.pieces)
    value, draws = pieces.estimates(alone, "w_ratio/contrast_flat", 50)
    assert np.isnan(value)
    assert pieces.interval(draws, 0.05) == (-np.inf, np.inf)


def test_the_interval_over_pieces_covers_and_one_over_clips_would_not():
    """Twenty pieces of three clips that share an effect; the truth is that of a large sample."""
    truth = grid(np.random.default_rng(99), 60_000, times=2, shared=1.0, per_piece=3).w[0].mean()
    covered = {"pieces": 0, "clips": 0}
    for index in range(200):
        of = grid(np.random.default_rng(index), 60, times=2, shared=1.0, per_piece=3)
        for name, blocks in (("pieces", of.pieces), ("clips", np.arange(60))):
            draws = pieces.mean_w(of, pieces.resampled(blocks, 400), np.array([True, False]))
            low, high = pieces.interval(draws, 0.05)
            covered[name] += low <= truth <= high
    assert covered["pieces"] / 200 > 0.88  # a percentile interval of twenty blocks covers a little less than 0.95
    assert covered["clips"] < covered["pieces"] - 10


def test_a_census_and_its_manifest_give_the_grid_back():
    of = grid(np.random.default_rng(0))
    names = pd.Series(of.pieces, index=[f"c{clip:03d}" for clip in range(24)])
    found = pieces.grid(census(of).sample(frac=1, random_state=0), names)
    for name in ("w", "entropy", "loss", "times", "classes", "pieces"):
        np.testing.assert_array_equal(getattr(found, name), getattr(of, name))


def test_a_census_with_a_hole_and_a_clip_without_a_piece_are_refused():
    of = grid(np.random.default_rng(0))
    names = pd.Series(of.pieces, index=[f"c{clip:03d}" for clip in range(24)])
    with pytest.raises(ValueError, match="every clip at every t"):
        pieces.grid(census(of).iloc[1:], names)
    with pytest.raises(ValueError, match="clip c005 of the census is not in the manifest"):
        pieces.grid(census(of), names.drop("c005"))
