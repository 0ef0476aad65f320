import csv
import json
import os
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

from eisbach.data import clips, manifest
from eisbach.data.recorded import ffmpeg, folder
from eisbach.data.scores import render
from eisbach.errors import UserError
from tests.eisbach.data.music import tune
from tests.settings import FOLDER, PARAMS

SECONDS = 1.0  # of a clip: the files are many
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
    """160 files of every format, rate and depth; returns their names."""
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
    (root / "phone.txt").write_text("from a telephone")
    return [*names, "phone.m4a"]


def broken(root):
    """40 files that cannot be used; returns the status expected of each."""
    wave, flac, mp3 = (put(root, f"whole.{kind}", 700, 2.0).read_bytes() for kind in ("wav", "flac", "mp3"))
    for path in root.glob("whole.*"):
        path.unlink()
    spoilt = tune(1, SECONDS)
    spoilt[1000, 0] = np.nan
    endless = tune(2, SECONDS)
    endless[-1] = np.inf
    silent = np.zeros((44100, 2))
    kinds = [
        ("unreadable", "wav", b""),
        ("unreadable", "mp3", b"This is no music at all, only its name says so.\n" * 40),
        ("unreadable", "flac", flac[:30]),
        ("unreadable", "flac", flac[: len(flac) // 2]),
        ("unreadable", "m4a", b"\0" * 5000),
        ("truncated", "wav", wave[: len(wave) // 2]),
        ("truncated", "mp3", mp3[: len(mp3) // 2]),
        ("unreadable", "wav", wave[:20]),
        ("not finite", "wav", spoilt),
        ("not finite", "wav", endless),
        ("channels", "wav", np.tile(tune(3, SECONDS, channels=1), 8)),
        ("rate", "wav", (tune(4, 3.0, 3), 3)),
        ("silent", "flac", silent),
        ("silent", "wav", silent + 1e-5),
        ("short", "wav", tune(5, 0.2)),
        ("no caption", "flac", tune(6, SECONDS)),
    ]
    expected = {}
    for place in range(FAULTS):
        status, kind, content = kinds[place % len(kinds)]
        path = root / f"broken{place}.{kind}"
        if isinstance(content, bytes):
            path.write_bytes(content[:-1] + bytes([place]) if len(content) > 100 else content)
        else:
            sound, rate = content if isinstance(content, tuple) else (content, 44100)
            soundfile.write(path, sound * (1 + place / 1000), rate, subtype="FLOAT" if kind == "wav" else None)
        if status != "no caption":
            path.with_suffix(".txt").write_text("said to be music")
        expected[path.name] = status
    return expected


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """The folder of 200 files, what is expected of it, and where its corpus lies."""
    root, target = tmp_path_factory.mktemp("music"), tmp_path_factory.mktemp("corpus")
    used, faults = good(root), broken(root)
    (root / "notes.pdf").write_bytes(b"no music and not said to be")
    (root / ".hidden.wav").write_bytes(b"")
    summary = folder.prepare(settings(root), target, tmp_path_factory.mktemp("cache"))
    return root, used, faults, target, summary


def test_every_good_file_is_used_and_every_broken_one_is_reported_with_its_reason(mixed):
    _, used, faults, target, summary = mixed
    table = pd.read_parquet(target / "status.parquet").set_index("name")
    assert len(table) == 200
    assert table.index[table["status"] == "ok"].tolist() == sorted(used)
    found = table["status"][table["status"] != "ok"].to_dict()
    assert found == faults
    assert (table["reason"][list(faults)].str.len() > 5).all()
    assert summary["coverage"] == pytest.approx(160 / 200)
    assert summary["clips"] == 160


def test_clips_are_what_the_manifest_says(mixed):
    _, _, _, target, _ = mixed
    rows = manifest.read(target / "manifest.parquet")
    for row, (clip_id, audio) in zip(rows, clips.read(target / "clips.tar"), strict=True):
        assert clip_id == row["clip_id"]
        assert audio.shape == (2, round(row["seconds"] * 44100))
        measured = render.measure(audio)
        assert measured["rms_db"] == pytest.approx(row["rms_db"], abs=0.01)
        assert measured["rms_db"] == pytest.approx(render.RMS_DB, abs=0.1) or measured["peak_db"] > -0.2
        assert row["seconds"] == pytest.approx(SECONDS, abs=0.06 if row["file"].endswith(("mp3", "m4a")) else 0.001)
    assert not (target.parent / "x").exists()
    assert any(row["file"] == f"{ODD}.flac" for row in rows)


def test_contrast_is_measured_and_says_so(mixed):
    rows = pd.DataFrame(manifest.read(mixed[3] / "manifest.parquet"))
    assert set(rows["contrast_source"]) == {"measured"}
    ours = rows[rows["split"] == "finetune"]
    shares = ours["contrast_class"].value_counts(normalize=True)
    assert shares.to_numpy() == pytest.approx(1 / 3, abs=0.02)
    assert (ours.sort_values("loudness_range_db")["contrast"].diff().dropna() >= 0).all()


def test_the_same_folder_gives_the_same_bytes_and_is_not_cut_again(mixed, tmp_path, monkeypatch):
    root, _, _, target, _ = mixed
    few = tmp_path / "few"
    for name in ("tune0.wav", "tune2.ogg", "deep/er/tune1.flac"):
        (few / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, few / name)
        shutil.copy((root / name).with_suffix(".txt"), (few / name).with_suffix(".txt"))
    for name in ("a", "b"):
        folder.prepare(settings(few), tmp_path / name, tmp_path / "cache")
    for name in ("manifest.parquet", "clips.tar", "status.parquet", "summary.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    before = {row["file"]: row for row in manifest.read(target / "manifest.parquet")}
    for row in manifest.read(tmp_path / "a" / "manifest.parquet"):
        assert row["sha256"] == before[row["file"]]["sha256"]


def small(root, captions=None, **more):
    """Six tunes, with or without captions beside them."""
    for seed in range(6):
        put(root, f"{seed}.wav", seed, caption=captions and captions[seed], **more)


def prepared(root, tmp_path, **corpus):
    folder.prepare(settings(root, **corpus), tmp_path / "corpus", tmp_path / "cache")
    rows = manifest.read(tmp_path / "corpus" / "manifest.parquet")
    return rows, pd.read_parquet(tmp_path / "corpus" / "status.parquet")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_table_captions_groups_and_splits(tmp_path, form):
    root = tmp_path / "music"
    small(root)
    rows = [
        {"file_name": f"./{seed}.wav", "caption": f"tune, {seed}", "album": "ab"[seed % 2], "aspect_list": "slow, low"}
        for seed in range(6)
    ] + [{"file_name": "../7.wav", "caption": "elsewhere", "album": "a", "aspect_list": ""}]
    if form == "csv":
        with (root / "metadata.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found, status = prepared(root, tmp_path, group="album")
    assert {row["caption"] for row in found} == {f"tune, {seed}" for seed in range(6)}
    assert all(row["aspect_list"] == ["slow", "low"] for row in found)
    assert all(len({row["split"] for row in found if row["album"] == album}) == 1 for album in "ab")
    assert {row["split"] for row in found} == {"finetune", "heldout"}
    assert status.set_index("name")["status"]["../7.wav"] == "missing"


def test_long_files_are_cut_and_the_rest_is_a_shorter_clip(tmp_path):
    root = tmp_path / "music"
    put(root, "long.flac", 1, 3.7, rate=48000)
    put(root, "other.wav", 2, 2.3)
    rows, status = prepared(root, tmp_path)
    starts = sorted((row["file"], row["start_seconds"], round(row["seconds"], 3)) for row in rows)
    assert starts == [
        ("long.flac", 0, 1), ("long.flac", 1, 1), ("long.flac", 2, 1), ("long.flac", 3, 0.7),
        ("other.wav", 0, 1), ("other.wav", 1, 1),
    ]  # fmt: skip
    assert status["clips"].tolist() == [4, 2]
    sound = dict(clips.read(tmp_path / "corpus" / "clips.tar"))
    whole = np.concatenate([sound[name] for name in sorted(sound) if name.startswith("long")], axis=1)
    wanted = soxr.resample(tune(1, 3.7, 48000), 48000, 44100).T
    for start in range(4):
        part = slice(start * 44100, round(min(start + 1, 3.7) * 44100))
        correlation = np.corrcoef(whole[0, part], wanted[0, part])[0, 1]
        assert correlation > 0.9999


def test_of_two_equal_files_one_is_used(tmp_path):
    root = tmp_path / "music"
    small(root, ["caption"] * 6)
    shutil.copy(root / "3.wav", root / "z.wav")
    (root / "z.txt").write_text("the same again")
    rows, status = prepared(root, tmp_path)
    assert len(rows) == 6
    twin = status.set_index("name").loc["z.wav"]
    assert twin["status"] == "duplicate"
    assert "3.wav" in twin["reason"]


def test_a_name_that_is_not_utf8_is_shown_with_escapes(tmp_path):
    root = tmp_path / "music"
    small(root, ["caption"] * 6)
    os.rename(root / "0.wav", os.fsencode(root) + b"/caf\xe9.wav")
    os.rename(root / "0.txt", os.fsencode(root) + b"/caf\xe9.txt")
    rows, _ = prepared(root, tmp_path)
    assert "caf\\xe9.wav" in {row["file"] for row in rows}


def test_fewer_clips_are_the_first_of_more(tmp_path):
    root = tmp_path / "music"
    small(root, ["caption"] * 6, seconds=2.0)
    full, _ = prepared(root, tmp_path)
    few = replace(settings(root), clips={"finetune": 3, "heldout": 1})
    summary = folder.prepare(few, tmp_path / "few", tmp_path / "cache")
    rows = manifest.read(tmp_path / "few" / "manifest.parquet")
    train = [row for row in full if row["split"] == "finetune"]
    assert [row for row in rows if row["split"] == "finetune"] == train[:3]
    assert len({row["piece"] for row in rows}) == 4
    assert summary["clips_left_over"] == 12 - 4


def test_below_the_gate_the_counts_of_reasons_are_said(tmp_path):
    root = tmp_path / "music"
    small(root, ["caption"] * 6)
    for place in range(4):
        (root / f"bad{place}.wav").write_bytes(b"")
        (root / f"bad{place}.txt").write_text("said to be music")
    with pytest.raises(UserError, match=r"60\.0% of 10 sources .* 70\.0% \(6 ok, 4 unreadable\)"):
        prepared(root, tmp_path, min_coverage=0.7)
    assert len(pd.read_parquet(tmp_path / "corpus" / "status.parquet")) == 10


@pytest.mark.parametrize(
    ("table", "corpus", "said"),
    [
        (None, {"path": "nowhere"}, "no such folder"),
        (None, {"group": "album"}, "no such column"),
        (None, {"captions": "none.csv"}, r"none\.csv cannot be read"),
        (None, {"min_seconds": 2.0}, "min_seconds is 2"),
        (None, {"heldout_share": 1.0}, "heldout_share is 1"),
        ("file,caption\n0.wav,x\n", {}, "lacks the column file_name"),
        ("file_name,caption\n0.wav,x\n0.wav,y\n", {}, "'0.wav' twice"),
        ("file_name,caption\n0.wav,x, y\n", {}, "too many fields for '0.wav'"),
        ("file_name,caption,sha256\n0.wav,x,0\n", {}, "column 'sha256'"),
        ("file_name,caption,split\n0.wav,x,test\n", {}, "has split 'test'"),
        ("file_name,caption,split\n0.wav,x,heldout\n1.wav,y,\n", {"min_coverage": 0.1}, "1.wav has no split"),
        ("file_name,caption\n0.wav,x\n", {"min_coverage": 0.1}, "music of 1 piece"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_sentence(tmp_path, table, corpus, said):
    root = tmp_path / "music"
    for seed in range(2):
        put(root, f"{seed}.wav", seed, caption=None)
    if table:
        (root / "metadata.csv").write_text(table)
    with pytest.raises(UserError, match=said):
        prepared(corpus.pop("path", root), tmp_path, **corpus)


def test_latents_in_stability_s_layout(tmp_path):
    root, draw = tmp_path / "latents", np.random.default_rng(0)
    (root / "0").mkdir(parents=True)
    np.save(root / "silence.npy", np.zeros((1, 6, 12), "float32"))
    lengths = [11, 7, 25, 11, 11]  # of which a clip of a second has 11
    for place, length in enumerate(lengths):
        made = draw.standard_normal((6, length + 2)).astype("float16")
        np.save(root / "0" / f"{place:010d}.npy", made)
        facts = {
            "prompt": f"latents {place}",
            "padding_mask": [1] * length + [0, 0],
            "seconds_total": length * 4096 / 44100,
        }
        (root / "0" / f"{place:010d}.json").write_text(json.dumps(facts))
    np.save(root / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    (root / "pickled.json").write_text('{"prompt": "x"}')
    rows, status = prepared(root, tmp_path)
    assert status.set_index("name")["status"].to_dict()["pickled.npy"] == "unreadable"
    found = {row["clip_id"]: row for row in rows}
    for clip_id, content in clips.read(tmp_path / "corpus" / "clips.tar"):
        row = found[clip_id]
        first = round(row["start_seconds"] * 44100 / 4096)
        source = np.load(root / row["file"])[:, first : first + content.latents.shape[1]]
        assert np.array_equal(content.latents, source.astype("float32"))
        assert content.latents.shape[1] == -(-round(row["seconds"] * 44100) // 4096)
    assert sum(row["seconds"] for row in rows) == pytest.approx((11 + 7 + 22 + 11 + 11) * 4096 / 44100, rel=0.05)


def test_sound_and_latents_are_not_mixed(tmp_path):
    root = tmp_path / "music"
    small(root, ["caption"] * 6)
    np.save(root / "x.npy", np.zeros((6, 12)))
    with pytest.raises(UserError, match="keep one of them"):
        prepared(root, tmp_path)
