import numpy as np
import pytest

from eisbach import evaluate
from eisbach.metrics import alignment, loss_by_t
from eisbach.params import Evaluate


def test_set_metrics_know_copies_from_strangers():
    rng = np.random.default_rng(0)
    training, heldout = rng.standard_normal((40, 6)), rng.standard_normal((30, 6))
    copies = np.repeat(training[:4, None], 3, axis=1)
    fresh = rng.standard_normal((4, 3, 6))
    first, second = (
        evaluate.set_metrics({"musicnn": made}, {"musicnn": heldout}, {"musicnn": training}) for made in (copies, fresh)
    )
    assert first["memorisation"] == pytest.approx(0, abs=1e-9)
    assert second["memorisation"] > 0.5
    assert first["pairwise_distance/within_prompt"] == 0 < second["pairwise_distance/within_prompt"]
    assert first["vendi"] < second["vendi"] <= 12


def test_units_that_real_clips_hardly_move_do_not_rule():
    rng = np.random.default_rng(0)
    training, heldout, made = (rng.standard_normal(shape) for shape in ((40, 6), (30, 6), (4, 3, 6)))
    dead = [np.concatenate([x, 1e-4 * rng.standard_normal((*x.shape[:-1], 1))], -1) for x in (made, heldout, training)]
    plain = evaluate.set_metrics({"musicnn": made}, {"musicnn": heldout}, {"musicnn": training})
    with_dead = evaluate.set_metrics(*({"musicnn": x} for x in dead))
    for name in ("pairwise_distance", "vendi", "coverage"):
        assert with_dead[name] == pytest.approx(plain[name], rel=0.1)


def test_without_the_main_embedder_the_codec_s_numbers_stand_in():
    rng = np.random.default_rng(0)
    found = evaluate.set_metrics(*({"codec": rng.standard_normal(shape)} for shape in ((4, 3, 6), (30, 6), (40, 6))))
    assert found["vendi"] == found["vendi/codec"]


def test_alignment_is_that_of_the_probe():
    rng = np.random.default_rng(0)
    captions = rng.standard_normal((60, 4))
    sounds = captions @ rng.standard_normal((4, 9))
    probe = alignment.fit(sounds[:50], captions[:50])
    grouped = np.repeat(sounds[50:, None], 2, axis=1)
    found = evaluate.alignment_metrics({"musicnn": grouped}, captions[50:], {"musicnn": probe})
    assert found["alignment_matched"] > 0.95
    assert found["alignment"] > 0.7


def test_a_seed_s_grid_is_its_own_and_spread_over_contrast_and_t(tiny_archive):
    heldout, settings = tiny_archive, Evaluate(clips=8, times_per_tenth=2)
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
    grids = [evaluate.heldout_grid(tiny_archive, Evaluate(clips=8), seed) for seed in range(200)]
    counts = np.unique(np.concatenate([clips.clips["clip_id"] for clips, _, _ in grids]), return_counts=True)[1]
    assert len(counts) == 24
    assert counts == pytest.approx(np.full(24, 200 / 3), abs=5 * np.sqrt(200 / 3 * 2 / 3))
    assert np.mean([times for _, times, _ in grids], axis=0) == pytest.approx(loss_by_t.times(1), abs=0.01)


def test_more_clips_than_there_are_means_all(tiny_archive):
    clips, _, _ = evaluate.heldout_grid(tiny_archive, Evaluate(clips=1000), 0)
    assert set(clips.clips["clip_id"]) == set(tiny_archive.clips["clip_id"])
