import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from predictions.report import listening

RATE = 44100


@pytest.fixture
def made(tmp_path):
    """Two takes of one prompt: a tone that repeats A B A B, and the same file under another arm's name."""
    time = np.arange(RATE) / RATE
    sections = [0.4 * np.sin(2 * np.pi * pitch * time) for pitch in (300, 2000, 300, 2000)]
    for name in ("a.flac", "b.flac"):
        soundfile.write(tmp_path / name, np.concatenate(sections), RATE)
    (tmp_path / "broken.flac").write_bytes(b"no audio")
    return tmp_path


def table(*files):
    return pd.DataFrame(
        {"arm": [f"arm{place}" for place in range(len(files))], "prompt": 3, "caption": "words", "file": files}
    )


def test_a_row_has_sound_and_pictures_of_every_arm(made):
    (row,) = listening.rows(table("a.flac", "b.flac"), made, made / "report", [])
    assert (row.number, row.caption, [take.arm for take in row.takes]) == (1, "words", ["arm0", "arm1"])
    take = row.takes[0]
    audio, rate = soundfile.read(made / "report" / take.audio)
    assert abs(len(audio) / rate - take.seconds) < 0.1
    assert np.abs(audio).max() == pytest.approx(0.4, abs=0.1), "levels are left as they are"
    assert (made / "report" / take.audio).stat().st_size < 25_000 * take.seconds
    assert Image.open(made / "report" / take.spectrogram).size == (320, listening.MELS)


def test_files_are_named_by_their_content(made):
    (row,) = listening.rows(table("a.flac", "b.flac"), made, made / "report", [])
    assert row.takes[0].audio == row.takes[1].audio


@pytest.mark.parametrize("name", ["broken.flac", "missing.flac", "../secret.flac", "/etc/passwd", "a.flac\x00"])
def test_a_file_that_cannot_be_read_or_lies_elsewhere_is_left_out_and_said(made, name):
    soundfile.write(made.parent / "secret.flac", np.zeros(RATE), RATE)
    missing = []
    (row,) = listening.rows(table("a.flac", name), made, made / "report", missing)
    assert [take.arm for take in row.takes] == ["arm0"]
    assert missing == ["Prompt 1 of arm arm1 cannot be heard: its file cannot be read."]


def test_similarity_sees_sections_that_return(made):
    audio, rate = listening._read(made / "a.flac")
    matrix = listening.similarity(listening._mel_db(audio, rate), rate)
    quarter = len(matrix) // 4
    first, second, third = (slice(place * quarter + 2, (place + 1) * quarter - 2) for place in range(3))
    assert matrix[first, third].mean() > 0.9
    assert matrix[first, second].mean() < 0.3
    np.testing.assert_allclose(matrix, matrix.T)


def test_silence_is_heard_and_drawn(made):
    soundfile.write(made / "silence.flac", np.zeros(100), RATE)
    (row,) = listening.rows(table("silence.flac"), made, made / "report", [])
    assert len(row.takes) == 1
