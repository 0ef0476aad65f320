"""A server on 127.0.0.1 plays the site, through yt-dlp's generic extractor: nothing here leaves the machine."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

from eisbach.data import clips, manifest
from eisbach.data.musiccaps import corpus as musiccaps
from eisbach.data.musiccaps import download, fetching
from eisbach.data.musiccaps import table as musiccaps_table
from eisbach.errors import UserError
from tests.eisbach.data.music import tune
from tests.settings import MUSICCAPS, PARAMS, text

GOOD = ["goodgood001", "goodgood002", "-dashdash01"]
EXPECTED = {
    **dict.fromkeys(GOOD, "ok"),
    "redirected1": "ok",
    "slowslow001": "ok",
    "sometimes01": "ok",
    "missing0404": "unavailable",
    "gonegone410": "unavailable",
    "forbidden03": "blocked",
    "always_503x": "transient",
    "truncated01": "transient",
    "cutinside01": "corrupt",
    "notmusic001": "corrupt",
    "tooshort001": "wrong length",
    "$(touch x);": "refused",
    "../../up001": "refused",
}
SETTINGS = replace(
    MUSICCAPS, rows=len(EXPECTED), attempts=2, backoff_seconds=0.01, timeout_seconds=30.0, workers=6, min_coverage=0.3
)


def sound(seed: int, seconds: float) -> bytes:
    written = io.BytesIO()
    soundfile.write(written, tune(seed, seconds, 22050), 22050, format="OGG")
    return written.getvalue()


class Site(BaseHTTPRequestHandler):
    """`bodies` counts whole bodies sent by id, `asked` all requests."""

    protocol_version = "HTTP/1.0"
    bodies: Counter
    asked: Counter
    store: dict

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        self.asked[name] += 1
        for beginning, code in (("missing", 404), ("gone", 410), ("forbidden", 403), ("always_503", 503)):
            if name.startswith(beginning):
                return self.send_error(code)
        if name == "sometimes01" and self.asked[name] == 1:
            return self.send_error(503)
        if name == "redirected1":
            self.send_response(302)
            self.send_header("Location", "/elsewhere/moved000001")
            return self.end_headers()
        content = self.store.get(name, self.store["another"])
        if name == "cutinside01":
            content = content[:2000] + os.urandom(len(content) - 2000)
        if name == "notmusic001":
            content = b"words, no music " * 500
        self.send_response(200)
        self.send_header("Content-Type", "audio/ogg")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            if name == "stallstall1":
                self.wfile.write(content[:1000])
                time.sleep(1.5)
            elif name == "truncated01":
                self.wfile.write(content[: len(content) // 2])
            else:
                half = len(content) // 2
                self.wfile.write(content[:half])
                time.sleep(0.3 if name.startswith("slow") else 0)
                self.wfile.write(content[half:])
                self.wfile.flush()
                self.bodies[name] += 1
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site():
    """The address of the site, and its handler class with the counts."""
    names = ["another", "moved000001", *(name for name, status in EXPECTED.items() if status != "refused")]
    store = {name: sound(seed, 6.0 if name == "tooshort001" else 12.0) for seed, name in enumerate(names)}
    handler = type("Counting", (Site,), {"bodies": Counter(), "asked": Counter(), "store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/watch/{{id}}", handler
    server.shutdown()


def write_table(folder, ids, start=1.0, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / musiccaps_table.TABLE).open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted(musiccaps_table.COLUMNS))
        writer.writeheader()
        for place, name in enumerate(ids):
            row = {
                "ytid": name, "start_s": start, "end_s": start + 10, "audioset_positive_labels": "/m/04rlf",
                "aspect_list": "['slow', \"it's loud\"]", "caption": f"caption, of {name}", "author_id": place,
                "is_balanced_subset": place % 3 == 0, "is_audioset_eval": place % 2 == 0,
            }  # fmt: skip
            writer.writerow(row | changes)


def settings(folder, **changes):
    corpus = replace(SETTINGS, path=str(folder), **changes)
    return replace(PARAMS.prepare, clips={"finetune": 100, "heldout": 100}, corpus=corpus)


@pytest.fixture(scope="module")
def finished(site, tmp_path_factory):
    """A whole run against the site: its target and cache, and the requests that it made."""
    address, handler = site
    table, target, cache = (tmp_path_factory.mktemp(name) for name in ("table", "corpus", "cache"))
    write_table(table, EXPECTED)
    summary = musiccaps.prepare(settings(table), target, cache, address)
    return table, target, cache, summary, Counter(handler.asked), Counter(handler.bodies)


def statuses(target):
    return pd.read_parquet(target / "status.parquet").set_index("name")


def test_every_clip_has_the_status_of_what_happened_to_it(finished):
    _, target, _, summary, asked, _ = finished
    table = statuses(target)
    assert table["status"].to_dict() == EXPECTED
    assert table["attempts"]["sometimes01"] == 2
    assert table["attempts"]["always_503x"] == 2
    assert table["attempts"]["missing0404"] == 1
    assert table["attempts"]["$(touch x);"] == 0
    assert not any("touch" in name or "up001" in name for name in asked)
    assert summary["coverage"] == pytest.approx(6 / len(EXPECTED))
    assert (table["reason"][table["status"] != "ok"].str.len() > 5).all()


def test_the_right_ten_seconds_are_cut(finished, site):
    _, target, _, _, _, _ = finished
    rows = {row["clip_id"]: row for row in manifest.read(target / "manifest.parquet")}
    assert len(rows) == 6
    for clip_id, audio in clips.read(target / "clips.tar"):
        name = rows[clip_id]["file"]
        whole, rate = soundfile.read(io.BytesIO(site[1].store["moved000001" if name == "redirected1" else name]))
        wanted = soxr.resample(whole, rate, 44100)[44100 : 11 * 44100].T
        assert audio.shape == wanted.shape
        assert np.corrcoef(audio[0], wanted[0])[0, 1] > 0.999
        assert rows[clip_id]["aspect_list"] == ["slow", "it's loud"]
        assert rows[clip_id]["split"] == ("heldout" if list(EXPECTED).index(name) % 2 == 0 else "finetune")


def test_a_second_run_fetches_nothing_twice_and_asks_only_where_the_fault_may_pass(finished, site, tmp_path):
    table, target, cache, _, _, _ = finished
    address, handler = site
    before, bodies = Counter(handler.asked), Counter(handler.bodies)
    musiccaps.prepare(settings(table), tmp_path, cache, address)
    assert set(handler.asked - before) == {"forbidden03", "always_503x", "truncated01"}
    assert handler.bodies == bodies
    for name in ("manifest.parquet", "clips.tar"):
        assert (tmp_path / name).read_bytes() == (target / name).read_bytes()


def test_another_run_can_be_kept_to_the_clips_that_this_one_had(finished, site, tmp_path):
    table, target, cache, *_ = finished
    among = settings(table, among=str(target / "status.parquet"), min_coverage=1.0)
    summary = musiccaps.prepare(among, tmp_path, cache, site[0])
    assert summary["coverage"] == 1
    assert set(statuses(tmp_path).index) == {name for name, status in EXPECTED.items() if status == "ok"}


def test_killed_in_the_middle_and_run_again(site, tmp_path):
    """A process of its own is killed with SIGKILL after its first clips; the second run ends the work."""
    address, handler = site
    names = [f"killed{place:05d}" for place in range(5)] + ["slowslow002"]
    wanted = [download.Wanted(name, 1.0, 11.0) for name in names]
    folder, log = tmp_path / "musiccaps", tmp_path / "musiccaps" / "status.jsonl"
    script = (
        "import sys, json\nfrom eisbach.data.musiccaps import download, fetching\n"
        "from dataclasses import replace\nfrom tests.settings import MUSICCAPS\n"
        "from pathlib import Path\nfolder, address, names = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])\n"
        "settings = replace(MUSICCAPS, workers=1)\n"
        "fetching.fetch([download.Wanted(n, 1.0, 11.0) for n in names], Path(folder), settings, address)\n"
    )
    command = [sys.executable, "-c", script, str(folder), address, json.dumps(names)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    while not log.exists() or len(log.read_text().splitlines()) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with log.open("a") as file:
        file.write('{"name": "killed00004", "status": "o')  # as a write that the kill tore
    done = {json.loads(line)["name"] for line in log.read_text().splitlines()[:-1]}
    half = folder / "audio" / ".killed00003.flac.999.partial"
    half.write_bytes(b"half a file")
    before = Counter(handler.asked)
    outcomes = fetching.fetch(wanted, folder, replace(MUSICCAPS, workers=1), address)
    assert [outcome.status for outcome in outcomes.values()] == ["ok"] * len(names)
    assert not done & set(handler.asked - before)
    for name in names:
        assert soundfile.info(folder / "audio" / f"{name}.flac").frames == 441000
    assert fetching.fetch(wanted, folder, MUSICCAPS, "http://127.0.0.1:9/{id}") == outcomes


def test_a_site_that_falls_silent_is_given_up(site, tmp_path):
    once = replace(SETTINGS, attempts=1, timeout_seconds=0.3)
    outcome = fetching.fetch([download.Wanted("stallstall1", 1, 11)], tmp_path, once, site[0])["stallstall1"]
    assert outcome.status == "transient"
    assert not list(tmp_path.rglob("*.flac"))


def test_a_site_that_refuses_everything_is_left_alone(site, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "BLOCKED_IN_A_ROW", 3)
    address, handler = site
    wanted = [download.Wanted(f"forbidden{place:02d}", 0, 10) for place in range(40)]
    with pytest.raises(UserError, match=r"refused the last 3 clips .*403.*cookies"):
        fetching.fetch(wanted, tmp_path, replace(SETTINGS, workers=1), address)
    assert sum(name.startswith("forbidden") for name in handler.asked) < 40


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("[youtube] abc: Private video. Sign in if you've been granted access to this video", "private"),
        ("[youtube] abc: Video unavailable. This video has been removed by the uploader", "unavailable"),
        ("[youtube] abc: Video unavailable. The uploader has not made this video available in your country", "blocked"),
        ("[youtube] abc: Sign in to confirm you're not a bot. Use --cookies-from-browser or --cookies", "blocked"),
        ("[youtube] abc: Sign in to confirm your age. This video may be inappropriate for some users.", "blocked"),
        ("[youtube] abc: This account has been terminated", "unavailable"),
        ("Unable to download webpage: HTTP Error 503: Service Unavailable", "transient"),
        ("Unable to download webpage: HTTP Error 429: Too Many Requests", "transient"),
        ("The read operation timed out", "transient"),
        ("something that nobody has seen before", "transient"),
    ],
)
def test_what_the_site_says_has_a_kind(said, status):
    assert download._fault(Exception(f"\x1b[0;31mERROR:\x1b[0m {said}")).status == status


@pytest.mark.parametrize(("subset", "count"), [("all", 12), ("train", 6), ("eval", 6), ("balanced", 4)])
def test_subsets_and_limits(tmp_path, subset, count):
    write_table(tmp_path, [f"video{place:06d}" for place in range(12)])
    corpus = replace(SETTINGS, path=str(tmp_path), rows=12, subset=subset)
    rows = musiccaps_table.select(corpus, 0)
    assert len(rows) == count
    two, three = (musiccaps_table.select(replace(corpus, limit=limit), 0) for limit in (2, 3))
    assert len(three) == 3
    assert {row.wanted.id for row in two} < {row.wanted.id for row in three}


@pytest.mark.parametrize(
    ("changes", "rows", "said"),
    [
        ({}, 5521, "has 2 rows and 2 ids, not 5521"),
        ({"ytid": "samesame001"}, 2, "2 rows and 1 ids, not 2"),
        ({"aspect_list": "['a"}, 2, "row 2 of .* cannot be read"),
        ({"end_s": "0"}, 2, "no stretch of time"),
        ({"start_s": "soon"}, 2, "row 2"),
        ({"is_audioset_eval": "maybe"}, 2, "row 2"),
    ],
)
def test_a_faulty_table_is_refused(tmp_path, changes, rows, said):
    write_table(tmp_path, ["video000001", "video000002"], **changes)
    with pytest.raises(UserError, match=said):
        musiccaps_table.select(replace(SETTINGS, path=str(tmp_path), rows=rows), 0)


def test_a_table_without_a_column_is_refused(tmp_path):
    (tmp_path / musiccaps_table.TABLE).write_text("ytid,caption\nvideo000001,x\n")
    with pytest.raises(UserError, match="lacks the columns aspect_list"):
        musiccaps_table.select(replace(SETTINGS, path=str(tmp_path)), 0)


def test_without_table_and_network_it_is_said_where_to_put_one(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: (_ for _ in ()).throw(OSError("offline")))
    with pytest.raises(UserError, match=r"put musiccaps-public\.csv into"):
        musiccaps_table.find(replace(SETTINGS, path=str(tmp_path)))


def test_the_command_fetches_ahead_and_says_what_it_found(tmp_path, monkeypatch, capsys):
    """With ids that are refused before anything is sent, so that the real site is not asked."""
    from eisbach.pipeline.stages import musiccaps as command

    write_table(tmp_path / "music", ["$(touch x);", "`touch x`__", "a;b|c&d><ef"])
    (tmp_path / "params.yaml").write_text(text(prepare={"corpus": {**vars(MUSICCAPS), "rows": 3}}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["musiccaps", "--only-eval", "--limit", "2"])
    command.main()
    assert "2 refused" in capsys.readouterr().out
    table = pd.read_parquet("artifacts/musiccaps/status.parquet")
    assert table["status"].tolist() == ["refused", "refused"]
    assert not (tmp_path / "x").exists()
