import numpy as np
import pytest
import torch

from eisbach.errors import UserError
from eisbach.metrics import clip_features
from eisbach.pipeline import paths


@pytest.fixture
def codec(tiny_model):
    """The tiny model's codec, fitted to smooth random spectra."""
    generator = torch.Generator().manual_seed(0)
    walks = [torch.randn(1, 16, 48, generator=generator).cumsum(-1) * 0.3 - 4 for _ in range(8)]
    return tiny_model.pretransform.fit(walks)


@pytest.fixture
def clips(codec):
    latents = torch.randn(3, 6, 12, generator=torch.Generator().manual_seed(1))
    loudness = {"loudness": lambda audio: np.array([np.square(audio).mean()])}
    return [clip_features.extract(codec, clip, loudness) for clip in latents]


def test_latents_that_are_not_finite_raise_an_error(codec):
    with pytest.raises(UserError, match="diverged"):
        clip_features.extract(codec, torch.full((6, 12), float("nan")), {})


@pytest.mark.parametrize("size", [1e4, 1e37, float("inf")])
def test_latents_that_overflow_as_audio_raise_an_error(codec, size):
    with pytest.raises(UserError, match="diverged"):
        clip_features.extract(codec, torch.full((6, 12), size), {"loudness": lambda audio: np.array([audio.mean()])})


def test_empty_latents_raise_an_error(codec):
    with pytest.raises(UserError, match="empty"):
        clip_features.extract(codec, torch.zeros(6, 0), {})


def test_a_clip_has_a_codec_vector_an_embedding_and_finite_structure_metrics(clips):
    scale = clip_features.fit(clips, "mel")
    assert clip_features.codec_vector(clips[0].sound, scale).shape == (32,)
    assert np.isfinite(clips[0].vectors["loudness"]).all()
    assert np.isfinite(list(clip_features.measure(clips[0], scale).values())).all()


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_clip_of_a_few_latent_frames_has_finite_metrics_and_audio_of_its_length(codec, clips, length):
    short = clip_features.extract(codec, torch.zeros(6, length), {"loudness": lambda audio: np.array([len(audio)])})
    assert np.isfinite(list(clip_features.measure(short, clip_features.fit(clips, "mel")).values())).all()
    assert short.vectors["loudness"] == pytest.approx(length * 4096 * 16000 / 44100, abs=2)


def test_padding_is_cut_off():
    latents = torch.arange(12.0).reshape(2, 1, 6)
    mask = torch.arange(6) < torch.tensor([[6], [2]])
    assert [part.tolist() for part in clip_features.without_padding(latents, mask)] == [[[0, 1, 2, 3, 4, 5]], [[6, 7]]]


def test_vectors_and_scale_are_loaded_as_saved(tmp_path, clips):
    path, scale = tmp_path / "reference.safetensors", clip_features.fit(clips, "chroma")
    clip_features.save(path, {"codec": np.eye(3)}, scale)
    vectors, loaded = clip_features.load(path, ["codec"])
    assert vectors["codec"] == pytest.approx(np.eye(3))
    assert clip_features.measure(clips[0], loaded) == clip_features.measure(clips[0], scale)


def test_a_missing_file_names_the_command_that_makes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="dvc repro reference"):
        clip_features.load(paths.REFERENCE, [])


def test_a_missing_embedder_is_named(tmp_path, clips):
    path = tmp_path / "reference.safetensors"
    clip_features.save(path, {"codec": np.eye(3)}, clip_features.fit(clips, "chroma"))
    with pytest.raises(UserError, match="'musicnn'"):
        clip_features.load(path, ["musicnn"])
