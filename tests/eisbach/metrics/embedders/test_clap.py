"""CLAP from loading to alignment, on a tiny checkpoint in LAION's layout."""

import numpy as np
import pytest
import torch

from eisbach.errors import UserError
from eisbach.metrics import clip_features, sets
from eisbach.metrics.embedders import clap
from tests.eisbach.metrics.embedders import tiny_clap


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clap")
    tiny_clap.save(folder)
    assert (folder / "model.safetensors").is_file()
    return folder


@pytest.fixture(scope="module")
def model(checkpoint):
    return clap.Clap(checkpoint)


def tone(hertz: float, seconds: float = 10.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * clip_features.RATE)) / clip_features.RATE)


@pytest.fixture(scope="module")
def vectors(model):
    """(of two tones, of three captions, the last two equal)."""
    embed = clip_features.load_embedders([], model)["clap"]
    texts = model.text(["a slow piano piece", "a fast organ piece", "a fast organ piece"])
    return np.stack([embed(tone(hertz)) for hertz in (220, 2000)]), texts


def test_audio_and_text_have_unit_vectors_in_one_space(vectors):
    audio, texts = vectors
    assert audio.shape == (2, tiny_clap.DIMENSION)
    assert texts.shape == (3, tiny_clap.DIMENSION)
    assert np.linalg.norm(np.concatenate([audio, texts]), axis=1) == pytest.approx(1)


def test_equal_captions_have_equal_vectors_and_different_inputs_different_ones(vectors):
    audio, texts = vectors
    assert texts[1] == pytest.approx(texts[2])
    assert np.abs(texts[0] - texts[1]).max() > 1e-4
    assert np.abs(audio[0] - audio[1]).max() > 1e-4


def test_the_cosines_are_the_logits_of_transformers_model_without_their_scale(model, checkpoint):
    from transformers import ClapModel, ClapProcessor

    captions, sound = ["a slow piano piece", "a fast organ piece"], np.random.default_rng(0).standard_normal(480000)
    processor = ClapProcessor.from_pretrained(checkpoint)
    inputs = processor(text=captions, audio=0.1 * sound, sampling_rate=clap.RATE, return_tensors="pt", padding=True)
    with torch.no_grad():
        whole = ClapModel.from_pretrained(checkpoint).eval()
        logits = whole(**inputs).logits_per_audio / whole.logit_scale_a.exp()
    cosines = model.text(captions) @ model.audio(0.1 * sound)
    assert cosines == pytest.approx(logits[0].double().numpy(), abs=1e-5)


@pytest.mark.parametrize("seconds", [10.03, 25.0])
def test_audio_longer_than_ten_seconds_has_the_same_vector_every_time(model, seconds):
    """The processor of the released models cuts at an offset drawn from numpy's global generator."""
    audio = np.random.default_rng(0).standard_normal(int(seconds * clap.RATE))
    vectors = [model.audio(audio) for _ in range(3)]
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[0], vectors[2])


@pytest.mark.parametrize("seconds", [10.03, 25.0])
def test_the_vector_of_longer_audio_is_the_mean_over_pieces_of_ten_seconds(model, seconds):
    audio = np.random.default_rng(0).standard_normal(int(seconds * clap.RATE))
    pieces = np.stack([model.audio(audio[k * 480000 : (k + 1) * 480000]) for k in range(int(seconds // 10))])
    mean = pieces.mean(0)
    assert model.audio(audio) == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


@pytest.mark.parametrize("audio", [np.zeros(480000), np.zeros(1), np.ones(4800)])
def test_silence_and_one_sample_have_a_finite_vector(model, audio):
    assert np.isfinite(model.audio(audio)).all()


def test_captions_that_are_too_long_for_the_model_have_a_finite_vector(model):
    assert np.isfinite(model.text(["slow piano " * 200])).all()


def test_alignment_is_the_matched_minus_the_mismatched_cosine():
    texts = np.eye(4)[:3]
    grouped = np.repeat(texts[:, None], 2, axis=1)
    assert sets.clap_alignment(grouped, texts) == pytest.approx(1)
    assert sets.clap_alignment(grouped[[1, 2, 0]], texts) == pytest.approx(
        -0.5
    )  # half of the other captions are the sample's own


@pytest.mark.parametrize("lacking", ["model.safetensors", "preprocessor_config.json", "config.json"])
def test_a_folder_without_weights_processor_or_configuration_gives_an_error_of_one_line(tmp_path, checkpoint, lacking):
    for path in checkpoint.iterdir():
        if path.name not in (lacking, "processor_config.json" if lacking.startswith("pre") else ""):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match=r"holds no CLAP model .*set evaluate\.clap") as caught:
        clap.Clap(tmp_path)
    assert "\n" not in str(caught.value)


def half_of(weights: bytes) -> bytes:
    """The same safetensors file without every other tensor."""
    from safetensors.torch import load, save

    return save(dict(list(load(weights).items())[::2]))


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("config.json", lambda content: b'{"model_type": "bert"}'),
        ("model.safetensors", lambda content: b"\x00" * 20),
        ("model.safetensors", half_of),
    ],
    ids=["another kind of model", "damaged weights", "missing weights"],
)
def test_another_model_and_damaged_or_missing_weights_give_an_error_of_one_line(tmp_path, checkpoint, name, spoilt):
    for path in checkpoint.iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(spoilt(content) if path.name == name else content)
    with pytest.raises(UserError, match="holds no CLAP model") as caught:
        clap.Clap(tmp_path)
    assert "\n" not in str(caught.value)
