from dataclasses import replace

import numpy as np
import pytest

from eisbach.inference import evaluate
from eisbach.metrics import loss_by_t
from tests.settings import PARAMS


def grid(archive, seed: int, **changes: int):
    """(clips, times, noise seed) of the held-out grid of `seed` with changed settings."""
    return evaluate.heldout_grid(archive, replace(PARAMS.evaluate, **changes), seed)


def test_a_seed_has_the_same_grid_every_time(tiny_archive):
    (clips, *rest), (again, *rest_again) = (grid(tiny_archive, 3, clips=8) for _ in range(2))
    assert clips.clips.equals(again.clips)
    assert rest == rest_again


def test_two_seeds_differ_in_clips_times_and_noise(tiny_archive):
    (clips, times, noise), (other_clips, other_times, other_noise) = (grid(tiny_archive, s, clips=8) for s in (3, 4))
    assert clips.clips["clip_id"].tolist() != other_clips.clips["clip_id"].tolist()
    assert times != other_times
    assert noise != other_noise


def test_every_interval_of_t_has_one_time(tiny_archive):
    _, times, _ = grid(tiny_archive, 3, clips=8, times_per_tenth=2)
    assert [int(20 * t) for t in times] == list(range(20))


@pytest.mark.parametrize("seed", [3, 4])
def test_every_group_of_clips_with_similar_contrast_has_one_clip(tiny_archive, seed):
    groups = np.sort(tiny_archive.clips["contrast"]).reshape(8, 3)
    drawn = grid(tiny_archive, seed, clips=8)[0].clips["contrast"]
    assert all(value in group for value, group in zip(drawn, groups, strict=True))


def test_over_many_seeds_every_clip_is_drawn_equally_often(tiny_archive):
    drawn = np.concatenate([grid(tiny_archive, seed, clips=8)[0].clips["clip_id"] for seed in range(200)])
    counts = np.unique(drawn, return_counts=True)[1]
    assert len(counts) == 24
    assert counts == pytest.approx(np.full(24, 200 / 3), abs=5 * np.sqrt(200 / 3 * 2 / 3))


def test_over_many_seeds_the_mean_times_are_the_midpoints(tiny_archive):
    times = [grid(tiny_archive, seed, times_per_tenth=1)[1] for seed in range(200)]
    assert np.mean(times, axis=0) == pytest.approx(loss_by_t.times(1), abs=0.01)


def test_a_grid_of_more_clips_than_there_are_has_all_clips(tiny_archive):
    clips, _, _ = grid(tiny_archive, 0, clips=1000)
    assert set(clips.clips["clip_id"]) == set(tiny_archive.clips["clip_id"])
