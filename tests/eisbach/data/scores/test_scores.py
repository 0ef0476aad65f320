import json
from dataclasses import replace

import numpy as np
import pytest

from eisbach.data import audio, clips, manifest
from eisbach.data.scores import arrange, dynamics, ensembles, midi, notes, pieces, render
from eisbach.data.scores.prepare import prepare_scores
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
    prepare_scores(SETTINGS, folder, cache)
    return folder


@pytest.fixture(scope="module")
def score(cache):
    return notes.load(CHORALE, cache)


def test_rendering_again_changes_no_byte(corpus, tmp_path, cache):
    for path in (cache / "clips").rglob("*.flac"):
        path.unlink()
    prepare_scores(SETTINGS, tmp_path, cache)
    for name in ("manifest.parquet", "clips.tar"):
        assert (tmp_path / name).read_bytes() == (corpus / name).read_bytes()


def test_other_counts_change_no_clip(corpus, tmp_path, cache):
    prepare_scores(replace(SETTINGS, clips={"heldout": 3, "base": 1, "finetune": 1}), tmp_path, cache)
    before = {row["clip_id"]: row for row in manifest.read(corpus / "manifest.parquet")}
    after = {row["clip_id"]: row for row in manifest.read(tmp_path / "manifest.parquet")}
    assert set(after) == {"base-00000", "finetune-00000", "heldout-00000", "heldout-00001", "heldout-00002"}
    assert all(after[name] == before[name] for name in after if name in before)  # sha256 of the audio included


def test_writing_the_manifest_again_changes_no_byte(corpus, tmp_path):
    manifest.write(manifest.read(corpus / "manifest.parquet"), tmp_path / "manifest.parquet")
    assert (tmp_path / "manifest.parquet").read_bytes() == (corpus / "manifest.parquet").read_bytes()


def test_tar_and_manifest_agree(corpus):
    rows = manifest.read(corpus / "manifest.parquet")
    read = list(clips.read(corpus / "clips.tar"))
    assert [name for name, _ in read] == [row["clip_id"] for row in rows]
    assert all(sound.shape == (2, 4 * 44100) and sound.dtype == np.float32 for _, sound in read)
    assert json.loads((corpus / "summary.json").read_text())["clips"] == 8


def test_no_work_is_in_two_splits():
    works = [{piece.work for piece in pieces.ordered(split, 0)} for split in pieces.SHARES]
    assert all(works)
    assert sum(map(len, works)) == len(set.union(*works)) == len({piece.work for piece in pieces.listed()})


def test_the_base_split_lacks_the_new_ensembles(corpus):
    names = {ensemble.name for ensemble in ensembles.base_ensembles()}
    assert not names & set(ensembles.NEW_AFTER_BASE)
    assert len(names) + len(ensembles.NEW_AFTER_BASE) == len(ensembles.ENSEMBLES)
    rows = manifest.read(corpus / "manifest.parquet")
    assert {row["ensemble"] for row in rows if row["split"] == "base"} <= names


def test_notes_move_by_octaves_into_the_range_of_every_instrument():
    for ensemble in ensembles.ENSEMBLES:
        for program in ensemble.programs:
            low, high = ensembles.RANGES[program]
            fitted = ensembles.to_range(list(range(20, 110)), program)
            assert low <= min(fitted) <= max(fitted) <= high
            assert all((after - before) % 12 == 0 for before, after in zip(range(20, 110), fitted, strict=True))


def arranged(score, label, monkeypatch, players=ensembles.ENSEMBLES):
    """An arrangement whose contrast label is `label`; all else is drawn."""

    class Fixed:
        def uniform(self):
            return label

    draws = arrange.numpy_generator
    with monkeypatch.context() as patch:
        patch.setattr(
            arrange,
            "numpy_generator",
            lambda seed, purpose, *rest: Fixed() if purpose == "contrast" else draws(seed, purpose, *rest),
        )
        return arrange.arrange(score, 6.0, 0, players, "test")


@pytest.fixture
def only_crescendo(monkeypatch):
    curve = dynamics.curve("crescendo", 0.5)
    monkeypatch.setattr(dynamics, "SHAPES", ("crescendo",))
    monkeypatch.setattr(dynamics, "curve", lambda *_: curve)


@pytest.mark.usefixtures("only_crescendo")
def test_the_loudness_range_rises_with_the_label(score, monkeypatch):
    font, ranges = render.soundfont(""), []
    for label in (0.0, 0.5, 1.0):
        arrangement = arranged(score, label, monkeypatch, ensembles.ENSEMBLES[1:2])
        sound = render.synthesise(midi.to_midi(arrangement), 6.0, font)
        ranges.append(audio.measure_levels(audio.normalise(sound))["loudness_range_db"])
    assert ranges[0] + 4 < ranges[1]
    assert ranges[1] + 4 < ranges[2]


def test_without_contrast_all_parts_play_at_one_level(score, monkeypatch):
    flat = arranged(score, 0.0, monkeypatch)
    assert set(flat.levels_db) == {0.0}
    assert len({note.velocity for part in flat.parts for note in part}) == 1


def test_the_contrast_label_changes_no_other_draw(score, monkeypatch):
    low, high = (arranged(score, label, monkeypatch) for label in (0.1, 0.9))
    assert low.contrast != high.contrast
    for name in ("ensemble", "tempo_bpm", "metre", "bar", "transposition", "shape"):
        assert getattr(low, name) == getattr(high, name)


def test_clips_have_the_target_rms_or_the_highest_peak(corpus):
    for row in manifest.read(corpus / "manifest.parquet"):
        rms_excess, peak_excess = row["rms_db"] - audio.RMS_DB, row["peak_db"] - audio.PEAK_DB
        assert max(rms_excess, peak_excess) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpus": replace(SCORES, soundfont="none.sf2")}, r"soundfont none\.sf2 cannot be read"),
        ({"corpus": replace(SCORES, path="none.json")}, r"list of scores none\.json cannot be read"),
    ],
)
def test_invalid_settings_are_named(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        prepare_scores(replace(PARAMS.prepare, **changes), tmp_path, tmp_path / "cache")


def test_a_file_that_is_not_a_soundfont_is_named(tmp_path):
    path = tmp_path / "music.sf2"
    path.write_bytes(b"RIFF0000WAVE" * 10)
    with pytest.raises(UserError, match=r"music\.sf2 is not a soundfont"):
        render.soundfont(str(path))
