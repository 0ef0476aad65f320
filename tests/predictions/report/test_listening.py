import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from predictions.report import listening

RATE = 44100


@pytest.fixture
def folder(tmp_path):
    """Two identical files whose tone alternates (A B A B), and one file that is no audio."""
    time = np.arange(RATE) / RATE
    sections = [0.4 * np.sin(2 * np.pi * pitch * time) for pitch in (300, 2000, 300, 2000)]
    for name in ("a.flac", "b.flac"):
        soundfile.write(tmp_path / name, np.concatenate(sections), RATE)
    (tmp_path / "broken.flac").write_bytes(b"no audio")
    return tmp_path


def table(*files):
    """One prompt with a file for each of the arms arm0, arm1, ..."""
    return pd.DataFrame(
        {"arm": [f"arm{index}" for index in range(len(files))], "prompt": 3, "caption": "words", "file": files}
    )


@pytest.fixture
def row(folder):
    (row,) = listening.rows(table("a.flac", "b.flac"), folder, folder / "report", [])
    return row


def test_a_row_has_the_caption_and_a_take_for_every_arm(row):
    assert (row.number, row.caption, [take.arm for take in row.takes]) == (1, "words", ["arm0", "arm1"])


def test_audio_keeps_its_length_and_level(row, folder):
    take = row.takes[0]
    audio, rate = soundfile.read(folder / "report" / take.audio)
    assert take.seconds == 4
    assert abs(len(audio) / rate - take.seconds) < 0.1
    assert np.abs(audio).max() == pytest.approx(0.4, abs=0.1)


def test_audio_needs_at_most_25_kilobytes_per_second(row, folder):
    take = row.takes[0]
    assert (folder / "report" / take.audio).stat().st_size < 25_000 * take.seconds


def test_pictures_have_the_size_that_the_page_declares(row, folder):
    take = row.takes[0]
    assert Image.open(folder / "report" / take.spectrogram).size == (320, listening.MELS)
    assert Image.open(folder / "report" / take.similarity).size == (160, 160)


def test_files_with_equal_content_have_equal_names(row):
    assert row.takes[0].audio == row.takes[1].audio


@pytest.mark.parametrize("name", ["broken.flac", "missing.flac", "../secret.flac", "/etc/passwd", "a.flac\x00"])
def test_a_file_that_is_unreadable_or_outside_the_folder_is_left_out_and_reported(folder, name):
    soundfile.write(folder.parent / "secret.flac", np.zeros(RATE), RATE)
    missing = []
    (row,) = listening.rows(table("a.flac", name), folder, folder / "report", missing)
    assert [take.arm for take in row.takes] == ["arm0"]
    assert missing == ["Prompt 1 of arm arm1 cannot be played: its file cannot be read."]


def test_similarity_is_high_between_equal_sections_and_low_between_different_ones(folder):
    audio, rate = listening._read(folder / "a.flac")
    matrix = listening.similarity(listening._mel_db(audio, rate), rate)
    quarter = len(matrix) // 4
    first, second, third = (slice(index * quarter + 2, (index + 1) * quarter - 2) for index in range(3))
    assert matrix[first, third].mean() > 0.9
    assert matrix[first, second].mean() < 0.3


def test_similarity_is_symmetric_with_values_between_0_and_1():
    levels = np.random.default_rng(0).normal(size=(listening.MELS, 200))
    matrix = listening.similarity(levels, RATE)
    np.testing.assert_allclose(matrix, matrix.T)
    np.testing.assert_allclose(matrix.diagonal(), 1)
    assert matrix.min() >= 0
    assert matrix.max() <= 1 + 1e-12


def test_silence_gives_a_take(folder):
    soundfile.write(folder / "silence.flac", np.zeros(100), RATE)
    missing = []
    (row,) = listening.rows(table("silence.flac"), folder, folder / "report", missing)
    assert len(row.takes) == 1
    assert not missing


def test_the_distances_are_those_of_the_seed_and_name_the_noise():
    rows = [
        (0, "barrier", "sample_distance_db/baseline", 0.1),
        (0, "baseline", "sample_distance_db/baseline", 0.0),
        (0, "baseline", "sample_distance_db/noise", 9.7),
        (0, "base", "sample_distance_db/baseline", 2.5),
        (1, "barrier", "sample_distance_db/baseline", 7.0),
    ]
    table = pd.DataFrame(rows, columns=["seed", "arm", "metric", "value"])
    found = listening.distances(table, 0)
    assert list(found.arms.items()) == [("barrier", 0.1), ("base", 2.5)]
    assert found.noise == 9.7
    assert listening.distances(table, 2) is None
