import numpy as np
import pytest

from eisbach.metrics import alignment, sets


def test_set_metrics_know_copies_from_strangers():
    rng = np.random.default_rng(0)
    training, heldout = rng.standard_normal((40, 6)), rng.standard_normal((30, 6))
    copies = np.repeat(training[:4, None], 3, axis=1)
    fresh = rng.standard_normal((4, 3, 6))
    first, second = (
        sets.set_metrics({"musicnn": made}, {"musicnn": heldout}, {"musicnn": training}) for made in (copies, fresh)
    )
    assert first["memorisation"] == pytest.approx(0, abs=1e-9)
    assert second["memorisation"] > 0.5
    assert first["pairwise_distance/within_prompt"] == 0 < second["pairwise_distance/within_prompt"]
    assert first["vendi"] < second["vendi"] <= 12


def test_units_that_real_clips_hardly_move_do_not_rule():
    rng = np.random.default_rng(0)
    training, heldout, made = (rng.standard_normal(shape) for shape in ((40, 6), (30, 6), (4, 3, 6)))
    dead = [np.concatenate([x, 1e-4 * rng.standard_normal((*x.shape[:-1], 1))], -1) for x in (made, heldout, training)]
    plain = sets.set_metrics({"musicnn": made}, {"musicnn": heldout}, {"musicnn": training})
    with_dead = sets.set_metrics(*({"musicnn": x} for x in dead))
    for name in ("pairwise_distance", "vendi", "coverage"):
        assert with_dead[name] == pytest.approx(plain[name], rel=0.1)


def test_without_the_main_embedder_the_codec_s_numbers_stand_in():
    rng = np.random.default_rng(0)
    found = sets.set_metrics(*({"codec": rng.standard_normal(shape)} for shape in ((4, 3, 6), (30, 6), (40, 6))))
    assert found["vendi"] == found["vendi/codec"]


def test_alignment_is_that_of_the_probe():
    rng = np.random.default_rng(0)
    captions = rng.standard_normal((60, 4))
    sounds = captions @ rng.standard_normal((4, 9))
    probe = alignment.fit(sounds[:50], captions[:50])
    grouped = np.repeat(sounds[50:, None], 2, axis=1)
    found = sets.alignment_metrics({"musicnn": grouped}, captions[50:], {"musicnn": probe})
    assert found["alignment_matched"] > 0.95
    assert found["alignment"] > 0.7


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
@pytest.mark.parametrize("shape", [(1, 1, 6), (2, 1, 6), (1, 2, 6)])
def test_a_few_samples_have_numbers_or_none_that_pretends(shape):
    """One sample has no unbiased distance, and so no p either."""
    rng = np.random.default_rng(0)
    found = sets.set_metrics(*({"musicnn": rng.standard_normal(size)} for size in (shape, (30, 6), (40, 6))))
    assert np.isfinite([found[name] for name in ("vendi", "coverage", "fad", "memorisation")]).all()
    assert np.isnan(found["kad"]) == np.isnan(found["kad_p"]) == (shape == (1, 1, 6))
    slow = [[rng.standard_normal((8, 24)) for _ in range(shape[1])] for _ in range(shape[0])]
    found = sets.consistency_metrics(slow)
    assert np.isnan(found["structure_consistency"]) == np.isnan(found["detail_diversity"]) == (shape[1] == 1)
