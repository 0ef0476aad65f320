"""200 mixed files, 40 broken in ten ways, three tables in three encodings, through the pipeline: `pytest -m slow`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from eisbach.data import manifest
from tests.eisbach.data.music import tune
from tests.eisbach.data.recorded import cases
from tests.eisbach.data.recorded.tables import csv_text, jsonl_text

ROOT = Path(__file__).parents[4]
COLUMNS = ("file_name", "caption", "path", "aspect_list")
FORMS = ("wav", "flac", "ogg", "mp3", "m4a", "opus", "aiff", "WAV")
WAYS = (
    *("empty.wav", "page.mp3", "zeros.flac", "half.m4a", "surround.wav", "slow.wav", "silent.flac", "short.wav"),
    *("all-nan.wav", "broken link"),
)


def good(folder: Path, count: int) -> list[str]:
    folder.mkdir(parents=True)
    for seed in range(count):
        path, audio = folder / f"tune {seed}.{FORMS[seed % len(FORMS)]}", tune(len(folder.name) * 1000 + seed, 1.2)
        (cases.encoded if path.suffix in (".mp3", ".m4a", ".opus") else cases.pcm)(path, audio)
    return sorted(path.name for path in folder.iterdir())


def broken(folder: Path) -> dict[str, str]:
    """40 broken files, four of each of ten ways; the status of each."""
    known, expected = {case.name: case for case in cases.AUDIO}, {}
    for index in range(40):
        way = WAYS[index % len(WAYS)]
        if way == "broken link":
            path = folder / f"broken {index}.wav"
            path.symlink_to("gone.wav")
            expected[path.name] = way
            continue
        path = folder / f"broken {index}{Path(way).suffix}"
        known[way].make(path, 5000 + index)
        expected[path.name] = known[way].status
    return expected


def rows(names: list[str]) -> list[tuple]:
    return [(name, f"caption of\u2028{name}", "x", "[slow, strings]") for name in names]


@pytest.mark.slow
def test_two_hundred_mixed_files_are_each_used_or_named_once(tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    music = clone / "music"
    usable = {name: good(music / name, count) for name, count in (("first", 60), ("next", 50), ("third table", 50))}
    expected = broken(music / "first")
    plain = os.fsencode(music / "next" / usable["next"][0])
    os.rename(plain, os.fsencode(music / "next") + b"/caf\xe9.wav")
    usable["next"][0] = "caf\\xe9.wav"
    (music / "first" / "metadata.csv").write_bytes(
        csv_text(rows([*usable["first"], *expected]), COLUMNS).encode("utf-8-sig")
    )
    (music / "next" / "metadata.csv").write_bytes(csv_text(rows(usable["next"]), COLUMNS, "\r\n", ";").encode("utf-16"))
    (music / "third table" / "metadata.jsonl").write_text(
        jsonl_text(rows(usable["third table"]), COLUMNS), encoding="utf-8"
    )
    borrowed = ["-o", f"{sys.prefix}/.ready", f"VENV={sys.prefix}"]  # this environment, but the clone's packages
    command = ["make", *borrowed, "repro", "DATA=folder", "PROFILE=smoke"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    corpus = clone / "artifacts" / "corpus"
    statuses = pd.read_parquet(corpus / "status.parquet").set_index("name")
    wanted = {f"{folder}/{name}": "ok" for folder, names in usable.items() for name in names}
    wanted |= {f"first/{name}": status for name, status in expected.items()}
    empty = sorted(name for name in expected if name.endswith(".wav") and (music / "first" / name).exists()
                   and not (music / "first" / name).stat().st_size)  # fmt: skip
    assert len(empty) == 4
    assert statuses["status"].to_dict() == wanted
    assert len(statuses) == 200
    assert (statuses.loc[statuses["status"] != "ok", "reason"].str.len() > 4).all()
    found = manifest.read(corpus / "manifest.parquet")
    assert all(row["caption"] == f"caption of {Path(row['file']).name}" for row in found)
    assert all(row["path"] == "x" for row in found)
    assert json.loads((corpus / "summary.json").read_text())["coverage"] == pytest.approx(0.8, abs=0.03)
    made = pd.read_parquet(clone / "artifacts" / "generate" / "0" / "samples.parquet")
    report = "".join(page.read_text() for page in (clone / "report").rglob("*.html"))
    assert set(made["caption"]) <= {row["caption"] for row in found}
    assert all(caption in report for caption in made["caption"])
