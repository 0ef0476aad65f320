"""The corpus `folder`: files, captions, latents and what becomes of each.

Longer than 300 lines: all tests share the folders of music at the top.
"""

import csv
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

from eisbach.data import audio, clips, manifest
from eisbach.data.recorded import ffmpeg
from eisbach.data.recorded.folder import prepare_folder
from eisbach.errors import UserError
from tests.eisbach.data.music import tune
from tests.eisbach.data.recorded import cases
from tests.settings import FOLDER, PARAMS

SECONDS = 1.0  # of a clip; short, because there are many files
ODD = 'it\'s "loud"\nand 🎻, 100 %;$(touch x)'
FAULTS = 40


def settings(root, **corpus):
    counts = {"finetune": 1000, "heldout": 1000}
    own = {"min_seconds": 0.5, **corpus}
    return replace(PARAMS.prepare, clip_seconds=SECONDS, clips=counts, corpus=replace(FOLDER, path=str(root), **own))


def put(root, name, seed, seconds=SECONDS, rate=44100, channels=2, caption="a tune", **form):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tune(seed, seconds, rate, channels), rate, **form)
    if caption is not None:
        path.with_suffix(".txt").write_text(caption)
    return path


def good(root):
    """Write 160 usable files of many formats, rates and depths; returns their names."""
    forms = [
        {"name": "{}.wav", "rate": 48000, "subtype": "PCM_24"},
        {"name": "deep/er/{}.flac", "rate": 44100},
        {"name": "{}.ogg", "rate": 32000},
        {"name": "{}.mp3", "rate": 44100},
        {"name": "{}.aiff", "rate": 22050, "channels": 1},
        {"name": "{}.WAV", "rate": 96000, "subtype": "FLOAT"},
        {"name": "{}.wav", "rate": 8000, "channels": 1, "subtype": "PCM_U8"},
    ]
    names = []
    for seed in range(157):
        form = dict(forms[seed % len(forms)])
        names.append(form.pop("name").format(f"tune{seed}"))
        put(root, names[-1], seed, **form)
    names += [f"{ODD}.flac", "-rf.wav"]
    for seed, name in enumerate(names[-2:], 500):
        put(root, name, seed)
    wave = put(root, "source.wav", 600, caption=None)
    subprocess.run([ffmpeg.program(), "-v", "error", "-i", wave, "-c:a", "aac", root / "phone.m4a"], check=True)
    wave.unlink()
    (root / "phone.txt").write_text("a voice memo")
    return [*names, "phone.m4a"]


def broken(root):
    """Write 40 unusable or damaged files; returns the expected status by name."""
    unusable = [case for case in cases.AUDIO if case.status not in ("ok", "partial")]
    expected = {}
    for index in range(FAULTS):
        case = unusable[index % len(unusable)]
        path = root / f"broken{index}{Path(case.name).suffix}"
        case.make(path, 1000 + index)
        path.with_suffix(".txt").write_text("a caption")
        expected[path.name] = case.status
    empty = [name for name in expected if (root / name).stat().st_size == 0]
    expected |= dict.fromkeys(empty[1:], "unreadable")
    return expected


@dataclass(frozen=True)
class Mixed:
    """A folder of 200 files, its expected statuses, and the corpus made of it."""

    root: Path
    usable: list[str]
    faults: dict[str, str]
    target: Path
    summary: dict

    def rows(self):
        return manifest.read(self.target / "manifest.parquet")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    root, target = tmp_path_factory.mktemp("music"), tmp_path_factory.mktemp("corpus")
    usable, faults = good(root), broken(root)
    (root / "notes.pdf").write_bytes(b"not music")
    (root / ".hidden.wav").write_bytes(b"")
    summary = prepare_folder(settings(root), target, tmp_path_factory.mktemp("cache"))
    return Mixed(root, usable, faults, target, summary)


def statuses(target):
    return pd.read_parquet(target / "status.parquet").set_index("name")


def test_every_file_has_its_status_and_every_fault_a_reason(mixed):
    table = statuses(mixed.target)
    assert table["status"].to_dict() == {**dict.fromkeys(mixed.usable, "ok"), **mixed.faults}
    assert len(table) == 200
    assert (table["reason"][list(mixed.faults)].str.len() > 5).all()


def test_the_summary_counts_usable_files_and_clips(mixed):
    assert mixed.summary["coverage"] == pytest.approx(160 / 200)
    assert mixed.summary["clips"] == 160


def test_clips_are_as_the_manifest_describes_them(mixed):
    for row, (clip_id, sound) in zip(mixed.rows(), clips.read(mixed.target / "clips.tar"), strict=True):
        assert clip_id == row["clip_id"]
        assert sound.shape == (2, round(row["seconds"] * 44100))
        assert audio.rms_db(sound) == pytest.approx(row["rms_db"], abs=0.01)
        # ffmpeg cuts up to 128 samples from the end of a Vorbis file of one page.
        tolerance = {".mp3": 0.06, ".m4a": 0.06, ".ogg": 0.005}.get(Path(row["file"]).suffix, 0.001)
        assert row["seconds"] == pytest.approx(SECONDS, abs=tolerance)


def test_clips_have_the_target_rms_or_the_highest_peak(mixed):
    for row in mixed.rows():
        rms_excess, peak_excess = row["rms_db"] - audio.RMS_DB, row["peak_db"] - audio.PEAK_DB
        assert max(rms_excess, peak_excess) == pytest.approx(0, abs=0.1)


def test_a_name_with_a_shell_command_is_used_and_not_run(mixed):
    assert any(row["file"] == f"{ODD}.flac" for row in mixed.rows())
    assert not Path("x").exists()


def test_contrast_is_marked_as_measured(mixed):
    assert {row["contrast_source"] for row in mixed.rows()} == {"measured"}


def test_contrast_rises_with_the_loudness_range_and_its_classes_are_thirds(mixed):
    rows = pd.DataFrame(mixed.rows())
    finetune = rows[rows["split"] == "finetune"]
    shares = finetune["contrast_class"].value_counts(normalize=True)
    assert shares.to_numpy() == pytest.approx([1 / 3] * 3, abs=0.02)
    assert (finetune.sort_values("loudness_range_db")["contrast"].diff().dropna() >= 0).all()


@pytest.fixture
def few(mixed, tmp_path):
    """A folder with three of the files."""
    for name in ("tune0.wav", "tune2.ogg", "deep/er/tune1.flac"):
        copy = tmp_path / "few" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(mixed.root / name, copy)
        shutil.copy((mixed.root / name).with_suffix(".txt"), copy.with_suffix(".txt"))
    return tmp_path / "few"


def test_the_same_folder_gives_the_same_bytes(few, tmp_path):
    for name in ("a", "b"):
        prepare_folder(settings(few), tmp_path / name, tmp_path / f"cache {name}")
    for name in ("manifest.parquet", "clips.tar", "status.parquet", "summary.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_other_files_in_the_folder_change_no_clip(mixed, few, tmp_path):
    prepare_folder(settings(few), tmp_path / "corpus", tmp_path / "cache")
    before = {row["file"]: row["sha256"] for row in mixed.rows()}
    after = {row["file"]: row["sha256"] for row in manifest.read(tmp_path / "corpus" / "manifest.parquet")}
    assert len(after) == 3
    assert after == {name: before[name] for name in after}


def test_a_second_run_cuts_nothing_again(few, tmp_path):
    def written():
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()}

    prepare_folder(settings(few), tmp_path / "corpus", tmp_path / "cache")
    before = written()
    prepare_folder(settings(few), tmp_path / "corpus", tmp_path / "cache")
    assert len(before) == 6  # a clip and a list of clips for each file
    assert written() == before


def test_a_damaged_clip_in_the_cache_is_cut_again(few, tmp_path):
    prepare_folder(settings(few), tmp_path / "corpus", tmp_path / "cache")
    content = (tmp_path / "corpus" / "clips.tar").read_bytes()
    next((tmp_path / "cache").rglob("*.flac")).write_bytes(b"damaged")
    prepare_folder(settings(few), tmp_path / "corpus", tmp_path / "cache")
    assert (tmp_path / "corpus" / "clips.tar").read_bytes() == content


def small(root, captions=None, **more):
    """Write six tunes, with a .txt for each where there are `captions`."""
    for seed in range(6):
        put(root, f"{seed}.wav", seed, caption=captions and captions[seed], **more)


def prepared(root, tmp_path, **corpus):
    """The manifest's rows and the statuses of the corpus of a folder."""
    prepare_folder(settings(root, **corpus), tmp_path / "corpus", tmp_path / "cache")
    return manifest.read(tmp_path / "corpus" / "manifest.parquet"), statuses(tmp_path / "corpus")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_gives_captions_aspects_and_groups(tmp_path, kind):
    root = tmp_path / "music"
    small(root)
    table = [
        {"file_name": f"./{seed}.wav", "caption": f"tune, {seed}", "album": "ab"[seed % 2], "aspect_list": "slow, low"}
        for seed in range(6)
    ]
    if kind == "csv":
        with (root / "metadata.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, table[0])
            writer.writeheader()
            writer.writerows(table)
    else:
        (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, table)))
    rows, _ = prepared(root, tmp_path, group="album")
    assert {row["file"]: row["caption"] for row in rows} == {f"{seed}.wav": f"tune, {seed}" for seed in range(6)}
    assert all(row["aspect_list"] == ["slow", "low"] for row in rows)
    assert all(len({row["split"] for row in rows if row["album"] == album}) == 1 for album in "ab")
    assert {row["split"] for row in rows} == {"finetune", "heldout"}


def test_a_file_that_only_the_table_names_is_missing_or_outside(tmp_path):
    root = tmp_path / "music"
    small(root)
    lines = [f"{name},a tune\n" for name in ("0.wav", "1.wav", "../7.wav", "8.wav")]
    (root / "metadata.csv").write_text("file_name,caption\n" + "".join(lines))
    _, status = prepared(root, tmp_path, min_coverage=0.1)
    assert status["status"].to_dict().items() >= {"../7.wav": "outside", "8.wav": "missing"}.items()


@pytest.fixture
def long_files(tmp_path):
    root = tmp_path / "music"
    put(root, "long.flac", 1, 3.7, rate=48000)
    put(root, "other.wav", 2, 2.3)
    return prepared(root, tmp_path)


def test_long_files_are_cut_into_clips_and_a_shorter_rest(long_files):
    rows, status = long_files
    starts = sorted((row["file"], row["start_seconds"], round(row["seconds"], 3)) for row in rows)
    assert starts == [
        ("long.flac", 0, 1), ("long.flac", 1, 1), ("long.flac", 2, 1), ("long.flac", 3, 0.7),
        ("other.wav", 0, 1), ("other.wav", 1, 1),
    ]  # fmt: skip
    assert status["clips"].tolist() == [4, 2]


def test_each_clip_has_the_audio_of_its_seconds(long_files, tmp_path):
    sound = dict(clips.read(tmp_path / "corpus" / "clips.tar"))
    whole = np.concatenate([sound[name] for name in sorted(sound) if name.startswith("long")], axis=1)
    expected = soxr.resample(tune(1, 3.7, 48000), 48000, 44100).T
    for start in range(4):
        part = slice(start * 44100, round(min(start + 1, 3.7) * 44100))
        assert np.corrcoef(whole[0, part], expected[0, part])[0, 1] > 0.9999


def test_of_two_equal_files_one_is_used(tmp_path):
    root = tmp_path / "music"
    small(root, ["caption"] * 6)
    shutil.copy(root / "3.wav", root / "z.wav")
    (root / "z.txt").write_text("the same again")
    rows, status = prepared(root, tmp_path)
    assert len(rows) == 6
    assert status["status"]["z.wav"] == "duplicate"
    assert "3.wav" in status["reason"]["z.wav"]


def test_a_name_that_is_not_utf8_has_escapes_in_the_manifest(tmp_path):
    root = tmp_path / "music"
    small(root, ["caption"] * 6)
    os.rename(root / "0.wav", os.fsencode(root) + b"/caf\xe9.wav")
    os.rename(root / "0.txt", os.fsencode(root) + b"/caf\xe9.txt")
    rows, _ = prepared(root, tmp_path)
    assert "caf\\xe9.wav" in {row["file"] for row in rows}


def test_fewer_clips_are_the_first_of_more(tmp_path):
    root = tmp_path / "music"
    small(root, ["caption"] * 6, seconds=2.0)
    all_rows, _ = prepared(root, tmp_path)
    counts = {"finetune": 3, "heldout": 1}
    summary = prepare_folder(replace(settings(root), clips=counts), tmp_path / "few", tmp_path / "cache")
    rows = manifest.read(tmp_path / "few" / "manifest.parquet")
    for split, count in counts.items():
        assert [row for row in rows if row["split"] == split] == [row for row in all_rows if row["split"] == split][
            :count
        ]
    assert len({row["piece"] for row in rows}) == 4
    assert summary["clips_left_over"] == 12 - 4


def test_too_little_coverage_is_refused_with_the_counts_of_statuses(tmp_path):
    root = tmp_path / "music"
    small(root, ["caption"] * 6)
    for index in range(4):
        (root / f"bad{index}.wav").write_bytes(b"")
        (root / f"bad{index}.txt").write_text("a caption")
    with pytest.raises(UserError, match=r"60\.0% of 10 sources .* 70\.0% \(6 ok, 4 unreadable\)"):
        prepared(root, tmp_path, min_coverage=0.7)
    assert len(statuses(tmp_path / "corpus")) == 10


@pytest.mark.parametrize(
    ("table", "corpus", "message"),
    [
        (None, {"path": "nowhere"}, "'nowhere' .* no such folder"),
        (None, {"group": "album"}, "'album' .* no such column"),
        (None, {"captions": "none.csv"}, r"none\.csv cannot be read"),
        ("file,caption\n0.wav,x\n", {}, "lacks the column file_name"),
        ("file_name,caption\n0.wav,x, y\n", {}, "too many fields for '0.wav'"),
        ("file_name,caption,split\n0.wav,x,heldout\n1.wav,y,\n", {"min_coverage": 0.1}, "1.wav has no split"),
        ("file_name,caption\n0.wav,x\n", {"min_coverage": 0.1}, "1 piece of music"),
    ],
)
def test_an_invalid_setting_or_table_is_refused_with_its_name(tmp_path, table, corpus, message):
    root = tmp_path / "music"
    for seed in range(2):
        put(root, f"{seed}.wav", seed, caption=None)
    if table:
        (root / "metadata.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        prepared(corpus.pop("path", root), tmp_path, **corpus)


LENGTHS = [11, 7, 25, 11, 11]  # latents; a clip of one second has 11


@pytest.fixture
def preencoded(tmp_path):
    """The corpus of a folder in Stability's layout, and one file that is no array of numbers."""
    root, generator = tmp_path / "latents", np.random.default_rng(0)
    (root / "0").mkdir(parents=True)
    np.save(root / "silence.npy", np.zeros((1, 6, 12), "float32"))
    for index, length in enumerate(LENGTHS):
        latents = generator.standard_normal((6, length + 2)).astype("float16")
        np.save(root / "0" / f"{index:010d}.npy", latents)
        facts = {
            "prompt": f"latents {index}",
            "padding_mask": [1] * length + [0, 0],
            "seconds_total": length * 4096 / 44100,
        }
        (root / "0" / f"{index:010d}.json").write_text(json.dumps(facts))
    np.save(root / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    (root / "pickled.json").write_text('{"prompt": "x"}')
    return root, *prepared(root, tmp_path)


def test_latents_are_cut_without_their_padding(preencoded, tmp_path):
    root, rows, _ = preencoded
    found = {row["clip_id"]: row for row in rows}
    for clip_id, clip in clips.read(tmp_path / "corpus" / "clips.tar"):
        row = found[clip_id]
        first = round(row["start_seconds"] * 44100 / 4096)
        source = np.load(root / row["file"])[:, first : first + clip.latents.shape[1]]
        assert np.array_equal(clip.latents, source.astype("float32"))
        assert clip.latents.shape[1] == -(-round(row["seconds"] * 44100) // 4096)
    seconds = sum(row["seconds"] for row in rows)
    assert seconds == pytest.approx((11 + 7 + 22 + 11 + 11) * 4096 / 44100, rel=0.05)  # 3 of 25 are too short


def test_a_pickled_array_is_not_loaded(preencoded):
    _, _, status = preencoded
    assert status["status"]["pickled.npy"] == "unreadable"


def test_audio_and_latents_in_one_folder_are_refused(tmp_path):
    root = tmp_path / "music"
    small(root, ["caption"] * 6)
    np.save(root / "x.npy", np.zeros((6, 12)))
    with pytest.raises(UserError, match="keep one of them"):
        prepared(root, tmp_path)
