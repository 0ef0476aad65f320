import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from eisbach.errors import UserError
from eisbach.metrics.embedders import clap, musicnn, packages, preview, tensor_bundle

# Outputs for `signal` with librosa's features, from the authors' graph in TensorFlow.
REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text())


def signal() -> np.ndarray:
    """Three seconds at 16 kHz of a harmonic tone with vibrato and a crescendo."""
    time = np.arange(3 * 16000) / 16000
    phase = 2 * np.pi * (220 * time + 3 * np.sin(2 * np.pi * 5 * time) / 5)
    return (0.05 + 0.1 * time) * sum(np.sin(k * phase) / k for k in range(1, 9))


@pytest.mark.reference
def test_musicnn_agrees_with_tensorflow():
    network = musicnn.Musicnn(packages.folder("musicnn")).eval()
    with torch.no_grad():
        penultimate, logits = network(musicnn.patches(signal()))
    assert penultimate[0].numpy() == pytest.approx(np.array(REFERENCE["musicnn"]["penultimate"]), abs=2e-5)
    assert logits.sigmoid()[0].numpy() == pytest.approx(np.array(REFERENCE["musicnn"]["tags"]), abs=2e-6)


@pytest.mark.parametrize("audio", [np.zeros(48000), np.zeros(1), np.full(48000, 1e4)])
def test_silence_one_sample_and_very_high_levels_have_a_finite_embedding(audio):
    vector = musicnn.embedder(packages.folder("musicnn"))(audio)
    assert vector.shape == (musicnn.DIMENSION,)
    assert np.isfinite(vector).all()


def rendered_tone() -> np.ndarray:
    """A sine of 1 kHz and amplitude 0.2, through the codec's transform and back; the middle two seconds at 16 kHz."""
    from eisbach.models.codec import MelPatchCodec

    codec = MelPatchCodec(8)
    tone = 0.2 * torch.sin(2 * torch.pi * 1000 * torch.arange(3 * 44100) / 44100)
    return preview.render(codec.log_mel(tone.expand(1, 2, -1))[0], codec.filters, 44100, 16000)[8000:40000]


def test_rendering_keeps_pitch_and_level():
    audio = rendered_tone()
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    assert np.argmax(spectrum) / len(audio) * 16000 == pytest.approx(1000, abs=30)
    assert np.sqrt(np.mean(audio**2)) == pytest.approx(0.2 / np.sqrt(2), rel=0.3)


def test_rendering_is_deterministic():
    assert np.array_equal(rendered_tone(), rendered_tone())


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


def test_an_unreachable_index_gives_an_error_with_the_cure_and_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match="make embedders"):
        packages.folder("musicnn", tmp_path / "home")
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.parametrize("content", [b"", b"not a table" * 10])
def test_a_file_that_is_not_a_checkpoint_is_named(tmp_path, content):
    (tmp_path / ".index").write_bytes(content)
    (tmp_path / ".data-00000-of-00001").write_bytes(b"")
    with pytest.raises(UserError, match="index is not the index of a TensorFlow checkpoint"):
        tensor_bundle.read(tmp_path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        tensor_bundle.read(tmp_path / "elsewhere")


def test_a_compressed_index_is_not_supported(tmp_path):
    table = b"\0" * 8 + b"\1" + b"\0" * 4
    footer = bytes([0, 0, 0, 8]).ljust(40, b"\0") + struct.pack("<Q", tensor_bundle.MAGIC)
    (tmp_path / ".index").write_bytes(table + footer)
    (tmp_path / ".data-00000-of-00001").write_bytes(b"")
    with pytest.raises(UserError, match="compressed"):
        tensor_bundle.read(tmp_path)


def test_a_folder_without_clap_is_named(tmp_path):
    with pytest.raises(UserError, match="holds no CLAP model"):
        clap.Clap(tmp_path)
