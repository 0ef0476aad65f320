import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from eisbach.errors import UserError
from eisbach.metrics.embedders import clap, musicnn, packages, preview, tensor_bundle, yamnet

# What the authors' own graph, run by TensorFlow, and an ONNX graph edited by the package onnx gave for `signal`, from
# features that librosa computed.
REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text())


def signal() -> np.ndarray:
    """Three seconds of a harmonic tone with vibrato that grows louder, at 16 kHz."""
    time = np.arange(3 * 16000) / 16000
    phase = 2 * np.pi * (220 * time + 3 * np.sin(2 * np.pi * 5 * time) / 5)
    return (0.05 + 0.1 * time) * sum(np.sin(k * phase) / k for k in range(1, 9))


def test_musicnn_agrees_with_tensorflow():
    network = musicnn.Musicnn(packages.folder("musicnn")).eval()
    with torch.no_grad():
        penultimate, logits = network(musicnn.patches(signal()))
    assert penultimate[0].numpy() == pytest.approx(np.array(REFERENCE["musicnn"]["penultimate"]), abs=2e-5)
    assert logits.sigmoid()[0].numpy() == pytest.approx(np.array(REFERENCE["musicnn"]["tags"]), abs=2e-6)


def test_yamnet_agrees_with_an_independent_run():
    pooled, scores = yamnet.Yamnet(packages.folder("yamnet")).pooled_and_scores(yamnet.patches(signal())[:1])
    wanted = np.zeros(yamnet.DIMENSION)
    for unit, value in REFERENCE["yamnet"]["pooled"].items():
        wanted[int(unit)] = value
    assert pooled[0] == pytest.approx(wanted, abs=1e-5)
    assert scores[0].tolist() == REFERENCE["yamnet"]["scores"]


@pytest.mark.parametrize("module", [musicnn, yamnet])
@pytest.mark.parametrize("audio", [np.zeros(48000), np.zeros(1), np.full(48000, 1e4)])
def test_silence_one_sample_and_absurd_levels_have_an_embedding(module, audio):
    vector = module.embedder(packages.folder(module.__name__.rsplit(".", 1)[1]))(audio)
    assert vector.shape == (module.DIMENSION,)
    assert np.isfinite(vector).all()


def test_a_preview_keeps_pitch_and_level():
    from eisbach.models.codec import MelPatchCodec

    codec = MelPatchCodec(8)
    tone = 0.2 * torch.sin(2 * torch.pi * 1000 * torch.arange(3 * 44100) / 44100)
    made = preview.render(codec.log_mel(tone.expand(1, 2, -1))[0], codec.filters, 44100, 16000)
    middle = made[8000:40000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) / len(middle) * 16000 == pytest.approx(1000, abs=30)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.2 / np.sqrt(2), rel=0.3)
    assert np.array_equal(made, preview.render(codec.log_mel(tone.expand(1, 2, -1))[0], codec.filters, 44100, 16000))


@pytest.mark.parametrize("frames", [4, 40, 432])
def test_griffin_lim_is_torchaudio_s(frames):
    from torchaudio.functional import griffinlim

    amplitude = torch.rand(769, frames + 1, generator=torch.Generator().manual_seed(0)).square()
    window = torch.hann_window(preview.N_FFT)
    wanted = griffinlim(
        amplitude * (window.sum() / 2), window, preview.N_FFT, preview.HOP, preview.N_FFT, power=1.0,
        n_iter=preview.STEPS, momentum=preview.MOMENTUM, length=frames * preview.HOP, rand_init=False,
    ).numpy()  # fmt: skip
    made = preview.griffin_lim(amplitude.numpy())
    assert made.dtype == np.float32
    assert made == pytest.approx(wanted, abs=1e-3 * float(np.abs(wanted).max()))


def test_an_unreachable_index_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match="make embedders"):
        packages.folder("musicnn", tmp_path / "home")
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.parametrize("content", [b"", b"not a table" * 10])
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    (tmp_path / ".index").write_bytes(content)
    (tmp_path / ".data-00000-of-00001").write_bytes(b"")
    with pytest.raises(UserError, match="no TensorFlow checkpoint"):
        tensor_bundle.read(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        tensor_bundle.read(tmp_path / "elsewhere")


def test_a_compressed_index_is_refused(tmp_path):
    table = b"\0" * 8 + b"\1" + b"\0" * 4
    footer = bytes([0, 0, 0, 8]).ljust(40, b"\0") + struct.pack("<Q", tensor_bundle.MAGIC)
    (tmp_path / ".index").write_bytes(table + footer)
    (tmp_path / ".data-00000-of-00001").write_bytes(b"")
    with pytest.raises(UserError, match="compressed"):
        tensor_bundle.read(tmp_path)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(UserError, match="make embedders"):
        yamnet.Yamnet(tmp_path)
    with pytest.raises(UserError, match="holds no CLAP model"):
        clap.Clap(tmp_path)
