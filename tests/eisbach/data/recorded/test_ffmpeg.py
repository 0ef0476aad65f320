import numpy as np
import pytest
import soundfile

from eisbach.data.recorded import ffmpeg
from eisbach.errors import UserError
from tests.eisbach.data.music import tune


def test_a_clip_has_exactly_the_seconds_asked_for(tmp_path):
    source, target = tmp_path / "-source 'x'.wav", tmp_path / "cut"
    sound = tune(0, 5.0)
    soundfile.write(source, sound, 44100, subtype="PCM_16")
    assert ffmpeg.clip(source, target, 1.5, 2.0) == ""
    clip, rate = soundfile.read(target)
    assert rate == 44100
    assert clip == pytest.approx(sound[66150 : 66150 + 88200], abs=1e-4)


def test_decoding_keeps_rate_and_samples(tmp_path):
    soundfile.write(tmp_path / "a.flac", tune(0, 1.0, 22050, 1), 22050)
    assert ffmpeg.decode(tmp_path / "a.flac", tmp_path / "a.wav") == ffmpeg.Decoded(1.0, 0.0, True, "")
    (source, rate), (decoded, decoded_rate) = (soundfile.read(tmp_path / name) for name in ("a.flac", "a.wav"))
    assert decoded_rate == rate
    assert np.array_equal(decoded, source)


def test_the_fault_of_a_file_is_returned(tmp_path):
    (tmp_path / "a.m4a").write_bytes(b"no music")
    decoded = ffmpeg.decode(tmp_path / "a.m4a", tmp_path / "a.wav")
    assert decoded.seconds == 0
    assert decoded.fault == "moov atom not found"
    assert "moov atom" in ffmpeg.clip(tmp_path / "a.m4a", tmp_path / "a.flac", 0, 1)


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("kill -9 $$", UserError, "killed by signal 9"),
        ("echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 1", OSError, "No space left"),
        (None, UserError, "cannot be started"),
    ],
)
def test_failures_that_are_not_the_fault_of_the_file_are_raised(tmp_path, monkeypatch, script, error, message):
    program = tmp_path / "ffmpeg"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "program", lambda: str(program))
    with pytest.raises(error, match=message):
        ffmpeg.decode(tmp_path / "a", tmp_path / "b")
