import numpy as np
import pytest
import torch

from eisbach.errors import UserError
from eisbach.metrics import clip_features


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
    return [clip_features.hear(codec, clip, loudness) for clip in latents]


def test_a_diverged_latent_is_named(codec):
    with pytest.raises(UserError, match="diverged"):
        clip_features.hear(codec, torch.full((6, 12), float("nan")), {})
    with pytest.raises(UserError, match="empty"):
        clip_features.hear(codec, torch.zeros(6, 0), {})


def test_latents_are_heard_and_embedded(clips):
    scale = clip_features.fit(clips, "mel")
    assert clip_features.codec_vector(clips[0].sound, scale).shape == (32,)
    assert np.isfinite(clips[0].vectors["loudness"]).all()
    assert np.isfinite(list(clip_features.measure(clips[0], scale).values())).all()


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_clip_of_a_single_latent_is_heard_and_measured(codec, clips, length):
    short = clip_features.hear(codec, torch.zeros(6, length), {"loudness": lambda audio: np.array([len(audio)])})
    assert np.isfinite(list(clip_features.measure(short, clip_features.fit(clips, "mel")).values())).all()
    assert short.vectors["loudness"] == pytest.approx(length * 4096 * 16000 / 44100, abs=2)


def test_what_the_mask_leaves_out_is_cut():
    latents = torch.arange(12.0).reshape(2, 1, 6)
    mask = torch.arange(6) < torch.tensor([[6], [2]])
    assert [part.tolist() for part in clip_features.cut(latents, mask)] == [[[0, 1, 2, 3, 4, 5]], [[6, 7]]]


def test_vectors_and_scale_survive_the_file_and_what_is_missing_is_named(tmp_path, clips):
    path, scale = tmp_path / "reference.safetensors", clip_features.fit(clips, "chroma")
    with pytest.raises(UserError, match="dvc repro reference"):
        clip_features.load(path, [])
    clip_features.save(path, {"codec": np.eye(3)}, scale)
    vectors, loaded = clip_features.load(path, ["codec"])
    assert vectors["codec"] == pytest.approx(np.eye(3))
    assert clip_features.measure(clips[0], loaded) == clip_features.measure(clips[0], scale)
    with pytest.raises(UserError, match="'musicnn'"):
        clip_features.load(path, ["musicnn"])
