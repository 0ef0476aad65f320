"""Many clips of videos: a few at a time, none twice, and a line in a log for each that is done."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from eisbach.data.musiccaps import download
from eisbach.data.status import Outcome
from eisbach.errors import UserError
from eisbach.pipeline.params import MusicCaps
from eisbach.pipeline.progress import track

BLOCKED_IN_A_ROW = 20  # after so many refusals the site has made up its mind about this machine


def fetch(
    wanted: Iterable[download.Wanted], folder: Path, corpus: MusicCaps, address: str = download.ADDRESS
) -> dict[str, Outcome]:
    """What became of every wanted clip, by id, in the order asked for; sound in folder/audio, a log beside it.

    Ends what an earlier run began: what it has or will never have is not asked for. Raises UserError when the site
    refuses everything.
    """
    wanted = list(wanted)
    log = Log(folder / "status.jsonl")
    known = {
        one.id: log.known[one.id]
        for one in wanted
        if one.id in log.known and _settled(log.known[one.id], download.place(one, folder))
    }
    todo = [one for one in wanted if one.id not in known]
    refused = 0
    with ThreadPoolExecutor(corpus.workers) as pool:
        try:
            running = [pool.submit(download.clip, one, folder, corpus, address) for one in todo]
            for done in track(as_completed(running), "fetch clips", len(todo)):
                outcome = done.result()
                known[outcome.name] = outcome
                log.add(outcome)
                refused = refused + 1 if outcome.status == "blocked" else 0
                if refused >= BLOCKED_IN_A_ROW:
                    raise UserError(
                        f"the site refused the last {refused} clips ({outcome.reason}); set prepare.corpus.cookies to "
                        "a cookies.txt of a browser that it serves, or wait, and run again: nothing is fetched twice"
                    )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {one.id: known[one.id] for one in wanted}


def _settled(outcome: Outcome, sound: Path) -> bool:
    return outcome.status in download.PERMANENT or (outcome.status == "ok" and sound.exists())


class Log:
    """One line a clip, added when it is done; of two lines about a clip the later holds. A torn line is no line."""

    def __init__(self, path: Path):
        self.path = path
        self.known: dict[str, Outcome] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                outcome = Outcome(**json.loads(line))
            except (ValueError, TypeError):
                continue
            self.known[outcome.name] = outcome

    def add(self, outcome: Outcome) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write("\n" * self._torn() + json.dumps(asdict(outcome)) + "\n")

    def _torn(self) -> bool:
        """Whether the last line has no end, so that the next must not be written behind it."""
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, 2)
            return file.read() != b"\n"
