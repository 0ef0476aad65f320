"""CLAP's whole path on a checkpoint of LAION's layout."""

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


def test_sound_and_text_get_unit_vectors_of_one_space(model):
    heard = clip_features.embedders([], model)["clap"]
    vectors = np.stack([heard(tone(hertz)) for hertz in (220, 2000)])
    texts = model.text(["a slow piano piece", "a fast organ piece", "a fast organ piece"])
    assert vectors.shape == (2, tiny_clap.DIMENSION)
    assert texts.shape == (3, tiny_clap.DIMENSION)
    assert np.linalg.norm(np.concatenate([vectors, texts]), axis=1) == pytest.approx(1)
    assert texts[1] == pytest.approx(texts[2])
    assert np.abs(texts[0] - texts[1]).max() > 1e-4
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4


def test_the_vectors_are_those_of_transformers_own_model(model, checkpoint):
    """The logits of a whole forward pass, without their scale, are the cosines of our vectors."""
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
def test_a_sound_longer_than_ten_seconds_is_heard_in_pieces_and_draws_nothing(model, seconds):
    """The processor of the released models cuts at a place that numpy's global generator draws."""
    audio = np.random.default_rng(0).standard_normal(int(seconds * clap.RATE))
    vectors = [model.audio(audio) for _ in range(3)]
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[0], vectors[2])
    pieces = np.stack([model.audio(audio[k * 480000 : (k + 1) * 480000]) for k in range(int(seconds // 10))])
    mean = pieces.mean(0)
    assert vectors[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


@pytest.mark.parametrize("audio", [np.zeros(480000), np.zeros(1), np.ones(4800)])
def test_silence_and_one_sample_have_a_vector(model, audio):
    assert np.isfinite(model.audio(audio)).all()


def test_long_captions_are_cut_where_the_model_ends(model):
    assert np.isfinite(model.text(["slow piano " * 200])).all()


def test_alignment_is_matched_less_mismatched_cosine():
    texts = np.eye(4)[:3]
    grouped = np.repeat(texts[:, None], 2, axis=1)
    assert sets.clap_alignment(grouped, texts) == pytest.approx(1)
    assert sets.clap_alignment(grouped[[1, 2, 0]], texts) == pytest.approx(-0.5)  # half the strangers are the sound's


def test_a_folder_that_lacks_the_weights_the_processor_or_all_is_one_sentence(tmp_path, checkpoint):
    for lacking in ("model.safetensors", "preprocessor_config.json", "config.json"):
        folder = tmp_path / lacking
        folder.mkdir()
        for path in checkpoint.iterdir():
            if path.name not in (lacking, "processor_config.json" if lacking.startswith("pre") else ""):
                (folder / path.name).write_bytes(path.read_bytes())
        with pytest.raises(UserError, match=r"holds no CLAP model .*set evaluate\.clap") as caught:
            clap.Clap(folder)
        assert "\n" not in str(caught.value)


def test_a_model_of_another_kind_and_weights_that_are_damaged_or_lack_some_are_one_sentence(tmp_path, checkpoint):
    from safetensors.torch import load, save

    half = save(dict(list(load((checkpoint / "model.safetensors").read_bytes()).items())[::2]))
    faults = (
        ("config.json", b'{"model_type": "bert"}'),
        ("model.safetensors", b"\x00" * 20),
        ("model.safetensors", half),
    )
    for number, (name, content) in enumerate(faults):
        folder = tmp_path / str(number)
        folder.mkdir()
        for path in checkpoint.iterdir():
            (folder / path.name).write_bytes(content if path.name == name else path.read_bytes())
        with pytest.raises(UserError, match="holds no CLAP model"):
            clap.Clap(folder)
