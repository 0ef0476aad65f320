import numpy as np
import pytest
import torch

from eisbach import evaluate
from eisbach.errors import UserError
from eisbach.metrics import alignment, structure


@pytest.fixture
def codec(tiny_model):
    """The tiny model's codec, fitted to smooth random spectra."""
    generator = torch.Generator().manual_seed(0)
    walks = [torch.randn(1, 16, 48, generator=generator).cumsum(-1) * 0.3 - 4 for _ in range(8)]
    return tiny_model.pretransform.fit(walks)


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


def test_a_diverged_latent_is_named(codec):
    with pytest.raises(UserError, match="diverged"):
        evaluate.heard(codec, torch.full((6, 12), float("nan")))


def test_latents_are_heard_and_embedded(codec):
    latents = torch.randn(3, 6, 12, generator=torch.Generator().manual_seed(1))
    sounds = [evaluate.heard(codec, clip) for clip in latents]
    scale = structure.fit([(clip, latent.numpy()) for clip, latent in zip(sounds, latents, strict=True)])
    assert evaluate.codec_vector(sounds[0], scale).shape == (32,)
    found = evaluate.embeddings(codec, latents[0], {"loudness": lambda audio: np.array([np.square(audio).mean()])})
    assert np.isfinite(found["loudness"]).all()
    metrics = evaluate.consistency_metrics([sounds[:2], [sounds[2], sounds[2]]])
    assert set(metrics) >= {"structure_consistency", "detail_diversity"}


def test_vectors_survive_the_file_and_a_missing_one_is_named(tmp_path):
    path = tmp_path / "vectors.safetensors"
    with pytest.raises(UserError, match="dvc repro reference"):
        evaluate.load_vectors(path, [])
    evaluate.save_vectors(path, {"codec": np.eye(3)})
    assert evaluate.load_vectors(path, ["codec"])["codec"] == pytest.approx(np.eye(3))
    with pytest.raises(UserError, match="'musicnn'"):
        evaluate.load_vectors(path, ["musicnn"])


def test_alignment_is_that_of_the_probe():
    rng = np.random.default_rng(0)
    captions = rng.standard_normal((60, 4))
    sounds = captions @ rng.standard_normal((4, 9))
    probe = alignment.fit(sounds[:50], captions[:50])
    grouped = np.repeat(sounds[50:, None], 2, axis=1)
    found = evaluate.alignment_metrics({"musicnn": grouped}, captions[50:], {"musicnn": probe})
    assert found["alignment_matched"] > 0.95
    assert found["alignment"] > 0.7
