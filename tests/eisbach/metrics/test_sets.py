import numpy as np
import pytest

from eisbach.metrics import alignment, sets


@pytest.fixture(scope="module")
def copied_and_fresh():
    """Metrics of copies of training clips, three per prompt, and of new draws."""
    rng = np.random.default_rng(0)
    training, heldout = rng.standard_normal((40, 6)), rng.standard_normal((30, 6))
    copies = np.repeat(training[:4, None], 3, axis=1)
    fresh = rng.standard_normal((4, 3, 6))
    return tuple(
        sets.set_metrics({"musicnn": samples}, {"musicnn": heldout}, {"musicnn": training})
        for samples in (copies, fresh)
    )


def test_copies_of_training_clips_are_memorised_and_new_samples_are_not(copied_and_fresh):
    copied, fresh = copied_and_fresh
    assert copied["memorisation"] == pytest.approx(0, abs=1e-9)
    assert fresh["memorisation"] > 0.5


def test_copies_within_prompts_are_less_diverse_than_new_samples(copied_and_fresh):
    copied, fresh = copied_and_fresh
    assert copied["pairwise_distance/within_prompt"] == 0 < fresh["pairwise_distance/within_prompt"]
    assert copied["vendi"] < fresh["vendi"] <= 12


def test_a_dimension_in_which_real_clips_hardly_vary_changes_little():
    rng = np.random.default_rng(0)
    training, heldout, samples = (rng.standard_normal(shape) for shape in ((40, 6), (30, 6), (4, 3, 6)))
    dead = [
        np.concatenate([x, 1e-4 * rng.standard_normal((*x.shape[:-1], 1))], -1) for x in (samples, heldout, training)
    ]
    plain = sets.set_metrics({"musicnn": samples}, {"musicnn": heldout}, {"musicnn": training})
    with_dead = sets.set_metrics(*({"musicnn": x} for x in dead))
    for name in ("pairwise_distance", "vendi", "coverage"):
        assert with_dead[name] == pytest.approx(plain[name], rel=0.1)


def test_without_the_main_embedder_metrics_without_a_suffix_are_the_codec_s():
    rng = np.random.default_rng(0)
    found = sets.set_metrics(*({"codec": rng.standard_normal(shape)} for shape in ((4, 3, 6), (30, 6), (40, 6))))
    assert found["vendi"] == found["vendi/codec"]


def test_audio_that_is_a_linear_image_of_its_captions_is_aligned():
    rng = np.random.default_rng(0)
    captions = rng.standard_normal((60, 4))
    audio = captions @ rng.standard_normal((4, 9))
    probe = alignment.fit(audio[:50], captions[:50])
    grouped = np.repeat(audio[50:, None], 2, axis=1)
    found = sets.alignment_metrics({"musicnn": grouped}, captions[50:], {"musicnn": probe})
    assert found["alignment_matched"] > 0.95
    assert found["alignment"] > 0.7


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
@pytest.mark.parametrize("shape", [(1, 1, 6), (2, 1, 6), (1, 2, 6)])
def test_only_a_kernel_distance_from_one_sample_is_nan(shape):
    """One sample has no unbiased distance and hence no p-value."""
    rng = np.random.default_rng(0)
    found = sets.set_metrics(*({"musicnn": rng.standard_normal(size)} for size in (shape, (30, 6), (40, 6))))
    assert np.isfinite([found[name] for name in ("vendi", "coverage", "fad", "memorisation")]).all()
    assert np.isnan(found["kad"]) == np.isnan(found["kad_p"]) == (shape == (1, 1, 6))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("prompts", "noises"), [(1, 1), (2, 1), (1, 2)])
def test_consistency_is_nan_with_one_sample_per_prompt_only(prompts, noises):
    rng = np.random.default_rng(0)
    slow = [[rng.standard_normal((8, 24)) for _ in range(noises)] for _ in range(prompts)]
    found = sets.consistency_metrics(slow)
    assert np.isnan(found["structure_consistency"]) == np.isnan(found["detail_diversity"]) == (noises == 1)
