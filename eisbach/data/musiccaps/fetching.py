"""Download many clips in parallel, each once, with a log from which an interrupted run continues."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from eisbach.data.musiccaps import download
from eisbach.data.status import SourceStatus
from eisbach.errors import UserError
from eisbach.pipeline.params import MusicCaps
from eisbach.pipeline.progress import track

BLOCKED_IN_A_ROW = 20  # after so many refusals in a row the site will refuse the rest too


def fetch(
    segments: Iterable[download.Segment], folder: Path, corpus: MusicCaps, address: str = download.ADDRESS
) -> dict[str, SourceStatus]:
    """Download segments into folder/audio, with a log in folder/status.jsonl. Returns the status by id, in order.

    Segments that an earlier run downloaded, or found to be permanently unavailable, are not requested again. Raises
    UserError when the site refuses BLOCKED_IN_A_ROW requests in a row.
    """
    segments = list(segments)
    log = Log(folder / "status.jsonl")
    known = {
        segment.id: log.known[segment.id]
        for segment in segments
        if segment.id in log.known and _settled(log.known[segment.id], download.audio_path(segment, folder))
    }
    todo = [segment for segment in segments if segment.id not in known]
    blocked = 0
    with ThreadPoolExecutor(corpus.workers) as pool:
        try:
            running = [pool.submit(download.clip, segment, folder, corpus, address) for segment in todo]
            for done in track(as_completed(running), "fetch clips", len(todo)):
                status = done.result()
                known[status.name] = status
                log.add(status)
                blocked = blocked + 1 if status.status == "blocked" else 0
                if blocked >= BLOCKED_IN_A_ROW:
                    raise UserError(
                        f"the site refused the last {blocked} clips ({status.reason}); set prepare.corpus.cookies in "
                        "params.yaml to the cookies.txt of a browser that it serves, or wait, and run again: finished "
                        "clips are not downloaded again"
                    )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {segment.id: known[segment.id] for segment in segments}


def _settled(status: SourceStatus, audio: Path) -> bool:
    return status.status in download.PERMANENT or (status.status == "ok" and audio.exists())


class Log:
    """Statuses as lines of JSON, one appended for each clip that is done.

    The last line of a clip counts; lines that a killed run left incomplete are skipped.
    """

    def __init__(self, path: Path):
        self.path = path
        self.known: dict[str, SourceStatus] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                status = SourceStatus(**json.loads(line))
            except (ValueError, TypeError):
                continue
            self.known[status.name] = status

    def add(self, status: SourceStatus) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write("\n" * self._torn() + json.dumps(asdict(status)) + "\n")

    def _torn(self) -> bool:
        """Whether the last line lacks its newline, because the process was killed while it wrote."""
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, 2)
            return file.read() != b"\n"
