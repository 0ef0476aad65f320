import os

import numpy as np
import pytest
import soundfile

from eisbach.data import clips
from eisbach.errors import UserError
from tests.eisbach.data.music import tune


def test_equal_files_give_equal_bytes_whatever_their_times(tmp_path):
    file = tmp_path / "file.flac"
    for name, time in (("a.tar", 1), ("b.tar", 2_000_000)):
        file.write_bytes(b"content")
        os.utime(file, (time, time))
        clips.write([("x", file)], tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_clips_are_read_in_the_order_of_writing(tmp_path):
    names = ["b", "a", "c"]
    for seed, name in enumerate(names):
        soundfile.write(tmp_path / f"{name}.flac", tune(seed, 0.1), 44100)
    clips.write([(name, tmp_path / f"{name}.flac") for name in names], tmp_path / "clips.tar")
    assert [name for name, _ in clips.read(tmp_path / "clips.tar")] == names


def test_mono_is_doubled(tmp_path):
    soundfile.write(tmp_path / "x.flac", tune(0, 0.1, channels=1), 44100)
    clips.write([("x", tmp_path / "x.flac")], tmp_path / "clips.tar")
    [(_, audio)] = clips.read(tmp_path / "clips.tar")
    assert audio.shape == (2, 4410)
    assert np.array_equal(audio[0], audio[1])


def test_latents_come_back_as_they_were_written(tmp_path):
    latents = np.random.default_rng(0).standard_normal((6, 3)).astype("float32")
    np.save(tmp_path / "x.npy", latents)
    clips.write([("x", tmp_path / "x.npy")], tmp_path / "clips.tar")
    [(name, clip)] = clips.read(tmp_path / "clips.tar")
    assert name == "x"
    assert np.array_equal(clip.latents, latents)


def test_an_unreadable_audio_file_is_named(tmp_path):
    broken = tmp_path / "x.flac"
    broken.write_bytes(b"no audio here")
    clips.write([("x", broken)], tmp_path / "clips.tar")
    with pytest.raises(UserError, match=r"x\.flac in .*clips\.tar cannot be read"):
        list(clips.read(tmp_path / "clips.tar"))


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.tar is missing"):
        list(clips.read(tmp_path / "none.tar"))


def test_a_damaged_archive_is_named(tmp_path):
    (tmp_path / "bad.tar").write_bytes(b"x" * 2000)
    with pytest.raises(UserError, match=r"bad\.tar is damaged"):
        list(clips.read(tmp_path / "bad.tar"))
