"""A server on 127.0.0.1 stands in for the video site, through yt-dlp's generic extractor; the network is not needed.

Longer than 300 lines: all tests share the server at the top.
"""

import csv
import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

from eisbach.data import clips, manifest
from eisbach.data.musiccaps import annotations, download, fetching
from eisbach.data.musiccaps.prepare import prepare_musiccaps
from eisbach.errors import UserError
from eisbach.pipeline.stages import musiccaps as command
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
    """`bodies` counts complete responses by id, `asked` all requests."""

    protocol_version = "HTTP/1.0"
    bodies: Counter
    asked: Counter
    store: dict

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        self.asked[name] += 1
        for prefix, code in (("missing", 404), ("gone", 410), ("forbidden", 403), ("always_503", 503)):
            if name.startswith(prefix):
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
    """The site's address, and its handler class with the counts."""
    names = ["another", "moved000001", *(name for name, status in EXPECTED.items() if status != "refused")]
    store = {name: sound(seed, 6.0 if name == "tooshort001" else 12.0) for seed, name in enumerate(names)}
    handler = type("Counting", (Site,), {"bodies": Counter(), "asked": Counter(), "store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/watch/{{id}}", handler
    server.shutdown()


def write_table(folder, ids, start=1.0, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / annotations.TABLE).open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted(annotations.COLUMNS))
        writer.writeheader()
        for index, name in enumerate(ids):
            row = {
                "ytid": name, "start_s": start, "end_s": start + 10, "audioset_positive_labels": "/m/04rlf",
                "aspect_list": "['slow', \"it's loud\"]", "caption": f"caption, of {name}", "author_id": index,
                "is_balanced_subset": index % 3 == 0, "is_audioset_eval": index % 2 == 0,
            }  # fmt: skip
            writer.writerow(row | changes)


def settings(folder, **changes):
    corpus = replace(SETTINGS, path=str(folder), **changes)
    return replace(PARAMS.prepare, clips={"finetune": 100, "heldout": 100}, corpus=corpus)


@dataclass(frozen=True)
class Run:
    """A finished run against the site, and the counts of its requests."""

    table: Path
    target: Path
    cache: Path
    summary: dict
    asked: Counter
    bodies: Counter

    def rows(self):
        return {row["file"]: row for row in manifest.read(self.target / "manifest.parquet")}


@pytest.fixture(scope="module")
def finished(site, tmp_path_factory):
    address, handler = site
    table, target, cache = (tmp_path_factory.mktemp(name) for name in ("table", "corpus", "cache"))
    write_table(table, EXPECTED)
    summary = prepare_musiccaps(settings(table), target, cache, address)
    return Run(table, target, cache, summary, Counter(handler.asked), Counter(handler.bodies))


def statuses(target):
    return pd.read_parquet(target / "status.parquet").set_index("name")


def test_every_clip_has_its_status_and_every_failure_a_reason(finished):
    table = statuses(finished.target)
    assert table["status"].to_dict() == EXPECTED
    assert (table["reason"][table["status"] != "ok"].str.len() > 5).all()


def test_only_transient_failures_are_tried_again(finished):
    attempts = statuses(finished.target)["attempts"].to_dict()
    again = {"sometimes01", "always_503x", "truncated01"}
    never_sent = {name for name, status in EXPECTED.items() if status == "refused"}
    assert attempts == {name: 2 if name in again else 0 if name in never_sent else 1 for name in EXPECTED}


def test_no_request_is_sent_for_an_invalid_id(finished):
    assert not any("touch" in name or "up001" in name for name in finished.asked)


def test_coverage_is_the_share_of_clips_that_are_there(finished):
    assert finished.summary["coverage"] == pytest.approx(6 / len(EXPECTED))


def test_a_clip_has_the_seconds_that_the_table_names(finished, site):
    rows = finished.rows()
    assert len(rows) == 6
    sound = dict(clips.read(finished.target / "clips.tar"))
    for name, row in rows.items():
        whole, rate = soundfile.read(io.BytesIO(site[1].store["moved000001" if name == "redirected1" else name]))
        expected = soxr.resample(whole, rate, 44100)[44100 : 11 * 44100].T
        assert sound[row["clip_id"]].shape == expected.shape
        assert np.corrcoef(sound[row["clip_id"]][0], expected[0])[0, 1] > 0.999


def test_the_manifest_has_the_table_s_captions_aspects_and_split(finished):
    for name, row in finished.rows().items():
        assert row["caption"] == f"caption, of {name}"
        assert row["aspect_list"] == ["slow", "it's loud"]
        assert row["split"] == ("heldout" if list(EXPECTED).index(name) % 2 == 0 else "finetune")


def test_a_second_run_requests_only_clips_whose_failure_may_pass(finished, site, tmp_path):
    address, handler = site
    before, bodies = Counter(handler.asked), Counter(handler.bodies)
    prepare_musiccaps(settings(finished.table), tmp_path, finished.cache, address)
    assert set(handler.asked - before) == {"forbidden03", "always_503x", "truncated01"}
    assert handler.bodies == bodies


def test_a_second_run_makes_the_same_corpus(finished, site, tmp_path):
    prepare_musiccaps(settings(finished.table), tmp_path, finished.cache, site[0])
    for name in ("manifest.parquet", "clips.tar"):
        assert (tmp_path / name).read_bytes() == (finished.target / name).read_bytes()


def test_a_run_can_be_restricted_to_the_clips_of_another(finished, site, tmp_path):
    among = settings(finished.table, among=str(finished.target / "status.parquet"), min_coverage=1.0)
    summary = prepare_musiccaps(among, tmp_path, finished.cache, site[0])
    assert summary["coverage"] == 1
    assert set(statuses(tmp_path).index) == {name for name, status in EXPECTED.items() if status == "ok"}


def test_a_killed_run_is_continued(site, tmp_path):
    """A process is killed with SIGKILL after its first clips; a second run fetches the others."""
    address, handler = site
    names = [f"killed{index:05d}" for index in range(5)] + ["slowslow002"]
    segments = [download.Segment(name, 1.0, 11.0) for name in names]
    folder, log = tmp_path / "musiccaps", tmp_path / "musiccaps" / "status.jsonl"
    script = (
        "import sys, json\nfrom eisbach.data.musiccaps import download, fetching\n"
        "from dataclasses import replace\nfrom tests.settings import MUSICCAPS\n"
        "from pathlib import Path\nfolder, address, names = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])\n"
        "settings = replace(MUSICCAPS, workers=1)\n"
        "segments = [download.Segment(n, 1.0, 11.0) for n in names]\n"
        "fetching.fetch(segments, Path(folder), settings, address)\n"
    )
    command = [sys.executable, "-c", script, str(folder), address, json.dumps(names)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    while not log.exists() or len(log.read_text().splitlines()) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with log.open("a") as file:
        file.write('{"name": "killed00004", "status": "o')  # a write that the kill interrupted
    done = {json.loads(line)["name"] for line in log.read_text().splitlines()[:-1]}
    half = folder / "audio" / ".killed00003.flac.999.partial"
    half.write_bytes(b"half a file")
    before = Counter(handler.asked)
    statuses = fetching.fetch(segments, folder, replace(MUSICCAPS, workers=1), address)
    assert [status.status for status in statuses.values()] == ["ok"] * len(names)
    assert not done & set(handler.asked - before)
    for name in names:
        assert soundfile.info(folder / "audio" / f"{name}.flac").frames == 441000
    assert fetching.fetch(segments, folder, MUSICCAPS, "http://127.0.0.1:9/{id}") == statuses


def test_a_download_that_stalls_times_out(site, tmp_path):
    once = replace(SETTINGS, attempts=1, timeout_seconds=0.3)
    status = fetching.fetch([download.Segment("stallstall1", 1, 11)], tmp_path, once, site[0])["stallstall1"]
    assert status.status == "transient"
    assert not list(tmp_path.rglob("*.flac"))


def test_a_site_that_refuses_everything_gets_no_more_requests(site, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "BLOCKED_IN_A_ROW", 3)
    address, handler = site
    segments = [download.Segment(f"forbidden{index:02d}", 0, 10) for index in range(40)]
    with pytest.raises(UserError, match=r"refused the last 3 clips .*403.*cookies"):
        fetching.fetch(segments, tmp_path, replace(SETTINGS, workers=1), address)
    assert sum(name.startswith("forbidden") for name in handler.asked) < 40


@pytest.mark.parametrize(
    ("message", "status"),
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
def test_the_site_s_messages_are_classified(message, status):
    assert download._failure(Exception(f"\x1b[0;31mERROR:\x1b[0m {message}")).status == status


def test_a_full_disk_is_not_a_failure_of_the_site():
    with pytest.raises(OSError, match="No space left") as caught:
        download._failure(Exception("unable to write data: [Errno 28] No space left on device"))
    assert caught.value.errno == errno.ENOSPC


@pytest.fixture
def twelve(tmp_path):
    """Settings for a table of twelve rows, half of them for evaluation."""
    write_table(tmp_path, [f"video{index:06d}" for index in range(12)])
    return replace(SETTINGS, path=str(tmp_path), rows=12)


@pytest.mark.parametrize(
    ("subset", "indices"),
    [("all", range(12)), ("train", range(1, 12, 2)), ("eval", range(0, 12, 2)), ("balanced", range(0, 12, 3))],
)
def test_a_subset_has_the_rows_that_the_table_marks(twelve, subset, indices):
    rows = annotations.select(replace(twelve, subset=subset), 0)
    assert [row.segment.id for row in rows] == [f"video{index:06d}" for index in indices]


@pytest.mark.parametrize("subset", ["all", "train", "eval", "balanced"])
def test_a_larger_limit_only_adds_rows(twelve, subset):
    two, three = (annotations.select(replace(twelve, subset=subset, limit=limit), 0) for limit in (2, 3))
    assert (len(two), len(three)) == (2, 3)
    assert {row.segment.id for row in two} < {row.segment.id for row in three}


@pytest.mark.parametrize(
    ("changes", "rows", "message"),
    [
        ({}, 5521, "has 2 rows and 2 ids, not 5521"),
        ({"ytid": "samesame001"}, 2, "2 rows and 1 ids, not 2"),
        ({"aspect_list": "['a"}, 2, "row 2 of .* cannot be read"),
        ({"end_s": "0"}, 2, "is not a range of seconds"),
        ({"start_s": "soon"}, 2, "row 2"),
        ({"is_audioset_eval": "maybe"}, 2, "row 2"),
    ],
)
def test_an_invalid_table_is_refused(tmp_path, changes, rows, message):
    write_table(tmp_path, ["video000001", "video000002"], **changes)
    with pytest.raises(UserError, match=message):
        annotations.select(replace(SETTINGS, path=str(tmp_path), rows=rows), 0)


def test_a_table_without_a_column_is_refused(tmp_path):
    (tmp_path / annotations.TABLE).write_text("ytid,caption\nvideo000001,x\n")
    with pytest.raises(UserError, match="lacks the columns aspect_list"):
        annotations.select(replace(SETTINGS, path=str(tmp_path)), 0)


def test_without_table_and_network_the_error_names_the_folder_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: (_ for _ in ()).throw(OSError("offline")))
    with pytest.raises(UserError, match=r"put musiccaps-public\.csv into"):
        annotations.find(replace(SETTINGS, path=str(tmp_path)))


def test_the_command_prints_the_counts_and_writes_the_statuses(tmp_path, monkeypatch, capsys):
    """With ids that are refused before any request, so that the real site gets none."""
    write_table(tmp_path / "music", ["$(touch x);", "`touch x`__", "a;b|c&d><ef"])
    (tmp_path / "params.yaml").write_text(text(prepare={"corpus": {**vars(MUSICCAPS), "rows": 3}}))
    monkeypatch.chdir(tmp_path)
    command.main(["--only-eval", "--limit", "2"])
    assert "2 refused" in capsys.readouterr().out
    table = pd.read_parquet("artifacts/musiccaps/status.parquet")
    assert table["status"].tolist() == ["refused", "refused"]
    assert not (tmp_path / "x").exists()


def test_the_command_refuses_unknown_arguments(capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(["--everything"])
    assert caught.value.code == 2
    assert "unrecognized arguments: --everything" in capsys.readouterr().err


def test_the_command_answers_help(capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(["--help"])
    assert caught.value.code == 0
    assert "--only-eval" in capsys.readouterr().out
