from dataclasses import replace

import numpy as np
import pytest

from eisbach.inference import evaluate
from eisbach.metrics import loss_by_t
from tests.settings import PARAMS


def test_a_seed_s_grid_is_its_own_and_spread_over_contrast_and_t(tiny_archive):
    heldout, settings = tiny_archive, replace(PARAMS.evaluate, clips=8, times_per_tenth=2)
    (clips, times, noise), again, other = (evaluate.heldout_grid(heldout, settings, seed) for seed in (3, 3, 4))
    assert clips.clips.equals(again[0].clips)
    assert (times, noise) == again[1:]
    assert (times, noise) != other[1:]
    assert [int(20 * t) for t in times] == list(range(20))
    ranked = np.sort(heldout.clips["contrast"]).reshape(8, 3)
    for drawn in (clips, other[0]):
        assert all(value in part for value, part in zip(drawn.clips["contrast"], ranked, strict=True))
    assert clips.clips["clip_id"].tolist() != other[0].clips["clip_id"].tolist()


def test_over_many_seeds_every_clip_and_every_t_has_its_turn(tiny_archive):
    grids = [evaluate.heldout_grid(tiny_archive, replace(PARAMS.evaluate, clips=8), seed) for seed in range(200)]
    counts = np.unique(np.concatenate([clips.clips["clip_id"] for clips, _, _ in grids]), return_counts=True)[1]
    assert len(counts) == 24
    assert counts == pytest.approx(np.full(24, 200 / 3), abs=5 * np.sqrt(200 / 3 * 2 / 3))
    assert np.mean([times for _, times, _ in grids], axis=0) == pytest.approx(loss_by_t.times(1), abs=0.01)


def test_more_clips_than_there_are_means_all(tiny_archive):
    clips, _, _ = evaluate.heldout_grid(tiny_archive, replace(PARAMS.evaluate, clips=1000), 0)
    assert set(clips.clips["clip_id"]) == set(tiny_archive.clips["clip_id"])
