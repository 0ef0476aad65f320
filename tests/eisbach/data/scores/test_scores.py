import json
from dataclasses import replace

import numpy as np
import pytest

from eisbach.data import clips, contrast, manifest
from eisbach.data.scores import arrange, ensembles, midi, notes, pieces, render
from eisbach.data.scores import corpus as scores
from eisbach.errors import UserError
from tests.settings import PARAMS, SCORES

SETTINGS = replace(PARAMS.prepare, corpus=SCORES, clip_seconds=4.0, clips={"base": 3, "finetune": 3, "heldout": 2})
CHORALE = "bach/bwv66.6.mxl"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("corpus")
    scores.prepare(SETTINGS, folder, cache)
    return folder


@pytest.fixture(scope="module")
def score(cache):
    return notes.load(CHORALE, cache)


def test_rendering_anew_changes_no_byte_and_a_larger_count_no_clip(corpus, tmp_path, cache):
    for path in (cache / "clips").rglob("*.flac"):
        path.unlink()
    scores.prepare(replace(SETTINGS, clips={"heldout": 3, "base": 1}), tmp_path, cache)
    before = {row["clip_id"]: row for row in manifest.read(corpus / "manifest.parquet")}
    after = {row["clip_id"]: row for row in manifest.read(tmp_path / "manifest.parquet")}
    assert set(after) - set(before) == {"heldout-00002"}
    assert all(after[name] == before[name] for name in after if name in before)  # sha256 of the audio included


def test_writing_twice_gives_the_same_bytes(corpus, tmp_path):
    rows = manifest.read(corpus / "manifest.parquet")
    manifest.write(rows, tmp_path / "manifest.parquet")
    assert (tmp_path / "manifest.parquet").read_bytes() == (corpus / "manifest.parquet").read_bytes()
    for name in ("a.tar", "b.tar"):
        clips.write([("x", corpus / "summary.json")], tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_tar_and_manifest_agree(corpus):
    rows = manifest.read(corpus / "manifest.parquet")
    audio = list(clips.read(corpus / "clips.tar"))
    assert [name for name, _ in audio] == [row["clip_id"] for row in rows]
    assert all(sound.shape == (2, 4 * 44100) and sound.dtype == np.float32 for _, sound in audio)
    assert json.loads((corpus / "summary.json").read_text())["clips"] == 8


def test_no_work_is_in_two_splits():
    works = {split: {piece.work for piece in pieces.ordered(split, 0)} for split in pieces.SHARES}
    assert not works["base"] & works["finetune"]
    assert not works["base"] & works["heldout"]
    assert not works["finetune"] & works["heldout"]


def test_the_base_never_hears_the_new_ensembles():
    names = {ensemble.name for ensemble in ensembles.familiar()}
    assert not names & set(ensembles.NEW_AFTER_BASE)
    assert len(names) + len(ensembles.NEW_AFTER_BASE) == len(ensembles.ENSEMBLES)


def test_every_ensemble_plays_in_its_range():
    for ensemble in ensembles.ENSEMBLES:
        for program in ensemble.programs:
            low, high = ensembles.RANGES[program]
            fitted = ensembles.fit(list(range(20, 110)), program)
            assert low <= min(fitted) <= max(fitted) <= high
            assert all((after - before) % 12 == 0 for before, after in zip(range(20, 110), fitted, strict=True))


def arranged(score, label, monkeypatch, shape="crescendo"):
    curve = contrast.curve(shape, 0.5)
    monkeypatch.setattr(contrast, "SHAPES", (shape,))
    monkeypatch.setattr(contrast, "curve", lambda *_: curve)

    class Fixed:
        def uniform(self):
            return label

    real = arrange.numpy_generator
    monkeypatch.setattr(
        arrange, "numpy_generator", lambda seed, what, *rest: Fixed() if what == "contrast" else real(seed, what, *rest)
    )
    return arrange.arrange(score, 6.0, 0, ensembles.ENSEMBLES[1:2], "test")


def test_the_loudness_range_rises_with_the_label(score, monkeypatch):
    font, ranges = render.soundfont(""), []
    for label in (0.0, 0.5, 1.0):
        audio = render.synthesise(midi.to_midi(arranged(score, label, monkeypatch)), 6.0, font)
        ranges.append(render.measure(render.equalise(audio))["loudness_range_db"])
    assert ranges[0] + 4 < ranges[1]
    assert ranges[1] + 4 < ranges[2]


def test_without_contrast_everybody_plays_at_one_level(score, monkeypatch):
    flat = arranged(score, 0.0, monkeypatch)
    assert set(flat.levels_db) == {0.0}
    assert len({note.velocity for part in flat.parts for note in part}) == 1


def test_contrast_does_not_change_what_else_is_drawn(score, monkeypatch):
    low, high = (arranged(score, label, monkeypatch) for label in (0.1, 0.9))
    for name in ("ensemble", "tempo_bpm", "metre", "bar", "transposition", "shape"):
        assert getattr(low, name) == getattr(high, name)


def test_clips_are_equally_loud(corpus):
    rows = manifest.read(corpus / "manifest.parquet")
    for row in rows:
        assert row["rms_db"] == pytest.approx(render.RMS_DB, abs=0.05) or row["peak_db"] == pytest.approx(
            -0.1, abs=0.05
        )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clips": {"train": 3}}, r"prepare\.clips\.train"),
        ({"clips": {"base": 0}}, r"prepare\.clips\.base.* is 0"),
        ({"clips": {}}, r"prepare\.clips.* empty"),
        ({"clip_seconds": 0.0}, r"prepare\.clip_seconds"),
        ({"corpus": replace(SCORES, soundfont="none.sf2")}, r"soundfont none\.sf2 cannot be read"),
        ({"corpus": replace(SCORES, path="none.json")}, r"list of scores none\.json cannot be read"),
    ],
)
def test_wrong_settings_are_named(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        scores.prepare(replace(PARAMS.prepare, **changes), tmp_path, tmp_path / "cache")


def test_a_file_that_is_no_soundfont_is_named(tmp_path):
    path = tmp_path / "music.sf2"
    path.write_bytes(b"RIFF0000WAVE" * 10)
    with pytest.raises(UserError, match="no soundfont"):
        render.soundfont(str(path))


def test_an_unreadable_audio_file_is_named(tmp_path):
    broken = tmp_path / "x.flac"
    broken.write_bytes(b"no audio here")
    clips.write([("x", broken)], tmp_path / "clips.tar")
    with pytest.raises(UserError, match=r"x\.flac in .*clips\.tar cannot be read"):
        list(clips.read(tmp_path / "clips.tar"))


def test_a_missing_or_damaged_archive_is_named(tmp_path):
    with pytest.raises(UserError, match="missing"):
        list(clips.read(tmp_path / "none.tar"))
    (tmp_path / "bad.tar").write_bytes(b"x" * 2000)
    with pytest.raises(UserError, match="damaged"):
        list(clips.read(tmp_path / "bad.tar"))
