"""The level of recorded clips; the oracle of loudness is Stability's VolumeNorm."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_audio_tools.data.utils import VolumeNorm

from eisbach.data.clips import SAMPLE_RATE
from eisbach.data.recorded import decoding, level
from eisbach.data.recorded.types import ClipFile, Rules

RULES = Rules(1.0, 0.5, -60.0, "lufs", 0)


def noise(seed, seconds, size):
    generator = np.random.default_rng(seed)
    envelope = np.linspace(0.1, 1, round(seconds * SAMPLE_RATE))
    return (size * envelope * generator.normal(size=(2, len(envelope)))).astype(np.float32)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.sampled_from([0.4, 1.0, 2.5]), st.floats(1e-4, 2.0), st.integers(0, 10**6))
def test_loudness_is_that_of_stability_s_volume_norm(seed, seconds, size, draw):
    sound = torch.from_numpy(noise(seed, seconds, size))
    with torch.random.fork_rng():
        torch.manual_seed(draw)
        wanted = VolumeNorm([-16, 2], SAMPLE_RATE)(sound)
        torch.manual_seed(draw)
        own = level.loudness_gain(sound.numpy(), torch.rand(1).item())
    torch.testing.assert_close(own * sound, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sound", [np.zeros((2, SAMPLE_RATE)), noise(0, 0.2, 0.3)], ids=["silence", "too short"])
def test_audio_without_a_loudness_keeps_its_level(sound):
    assert level.loudness_gain(sound.astype(np.float32), 0.5) == 1.0


def audio(path, rules):
    """The clips of a file, decoded."""
    found = [item for item in decoding.clip_files(path, rules) if isinstance(item, ClipFile)]
    target = path.with_suffix(".clip.flac")
    clips = []
    for item in found:
        target.write_bytes(item.content)
        clips.append(soundfile.read(target)[0].T)
    return clips


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1, 2.0, 0.02).T, SAMPLE_RATE, subtype="FLOAT")
    return path


def ratios(path, rules):
    return [
        np.abs(new).mean() / np.abs(old).mean()
        for new, old in zip(audio(path, rules), audio(path, SOURCE), strict=True)
    ]


SOURCE = replace(RULES, level="source")


def test_the_source_s_level_is_kept(file):
    whole = np.concatenate(audio(file, SOURCE), axis=1)
    np.testing.assert_allclose(whole, soundfile.read(file)[0].T, atol=1e-4)


def test_all_clips_of_a_file_have_one_factor_unless_each_has_its_own_level(file):
    of_file, of_clips = ratios(file, RULES), ratios(file, replace(RULES, level="rms"))
    assert of_file[0] == pytest.approx(of_file[1], rel=0.01)
    assert of_file[0] > 1.5
    assert of_clips[0] > 1.5 * of_clips[1]


def test_the_loudness_of_a_file_is_drawn_from_the_seed_and_its_content(file):
    def first(seed):
        return ratios(file, replace(RULES, seed=seed))[0]

    assert first(0) == first(0)
    assert first(0) != first(1)
