import errno

import numpy as np
import pytest
import soundfile

from eisbach.data.musiccaps import download
from eisbach.data.recorded import ffmpeg
from eisbach.errors import UserError
from tests.eisbach.data.music import tune


def test_exactly_the_seconds_that_are_asked_for(tmp_path):
    source, target = tmp_path / "-source 'x'.wav", tmp_path / "cut"
    sound = tune(0, 5.0)
    soundfile.write(source, sound, 44100, subtype="PCM_16")
    assert ffmpeg.clip(source, target, 1.5, 2.0) == ""
    got, rate = soundfile.read(target)
    assert rate == 44100
    assert got == pytest.approx(sound[66150 : 66150 + 88200], abs=1e-4)


def test_decoding_keeps_rate_and_channels(tmp_path):
    soundfile.write(tmp_path / "a.flac", tune(0, 1.0, 22050, 1), 22050)
    assert ffmpeg.decode(tmp_path / "a.flac", tmp_path / "a.wav") == ""
    assert np.array_equal(*(soundfile.read(tmp_path / name)[0] for name in ("a.flac", "a.wav")))


def test_a_faulty_file_is_described(tmp_path):
    (tmp_path / "a.m4a").write_bytes(b"no music")
    assert "Invalid data" in ffmpeg.decode(tmp_path / "a.m4a", tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("does", "raised", "said"),
    [
        ("kill -9 $$", UserError, "killed by signal 9"),
        ("echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 1", OSError, "No space left"),
        (None, UserError, "cannot be started"),
    ],
)
def test_what_is_no_fault_of_the_file_is_not_held_against_it(tmp_path, monkeypatch, does, raised, said):
    script = tmp_path / "ffmpeg"
    if does:
        script.write_text(f"#!/bin/sh\n{does}\n")
        script.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "program", lambda: str(script))
    with pytest.raises(raised, match=said):
        ffmpeg.decode(tmp_path / "a", tmp_path / "b")


def test_a_full_disk_is_no_fault_of_the_site():
    with pytest.raises(OSError, match="No space left") as caught:
        download._fault(Exception("unable to write data: [Errno 28] No space left on device"))
    assert caught.value.errno == errno.ENOSPC
