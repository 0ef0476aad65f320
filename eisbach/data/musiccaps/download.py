"""One clip of a video: its best sound through yt-dlp, the seconds that are wanted through ffmpeg, and what went wrong.

Every fault has a kind. PERMANENT ones are not tried again, by no later run; the others are, a few times in this run
and again in the next.
"""

import errno
import hashlib
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from eisbach.data.recorded import ffmpeg
from eisbach.data.status import Outcome
from eisbach.files import replacing
from eisbach.pipeline.params import MusicCaps

ADDRESS = "https://www.youtube.com/watch?v={id}"  # a whole address: an id that begins with - is no option
ID = re.compile(r"[A-Za-z0-9_-]{11}")
PERMANENT = ("refused", "unavailable", "private", "wrong length", "corrupt")  # the others: "blocked", "transient"
TOLERANCE_SECONDS = 0.05  # a resampler may give a few samples more or less

# What the site's refusals say, in the order in which they are tried.
SAYINGS = (
    ("transient", r"HTTP Error (?:408|429|5\d\d)|timed out|timeout|connection|reset by|temporary"),
    ("private", r"private video|members[- ]only|join this channel"),
    (
        "blocked",
        r"not a bot|sign in|your age|age[- ]restricted|cookies|in your country|geo[- ]?restrict|HTTP Error 40[13]",
    ),
    ("unavailable", r"unavailable|removed|terminated|not available|does not exist|deleted|HTTP Error (?:404|410)"),
)


@dataclass(frozen=True)
class Wanted:
    """Seconds [start, end) of a video."""

    id: str
    start: float
    end: float


class Fault(Exception):
    """Why there is no clip: the kind and a sentence."""

    def __init__(self, status: str, reason: str):
        super().__init__(status, reason)
        self.status, self.reason = status, reason


def clip(wanted: Wanted, folder: Path, settings: MusicCaps, address: str = ADDRESS) -> Outcome:
    """Have folder/audio/ID.flac, 44.1 kHz stereo, and say what became of it. Never raises for what a site may do.

    A file that is there is whole, since it came by a rename, and is not fetched again. What a killed run left of a
    download is continued.
    """
    if not ID.fullmatch(wanted.id):
        return Outcome(wanted.id, "refused", "no id of a video: nothing was sent", attempts=0)
    target = place(wanted, folder)
    for attempt in range(1, settings.attempts + 1):
        try:
            if not target.exists():
                _make(wanted, target, folder / "partial" / wanted.id, settings, address)
            return Outcome(wanted.id, "ok", "", attempt, 1, hashlib.sha256(target.read_bytes()).hexdigest())
        except Fault as fault:
            last = Outcome(wanted.id, fault.status, fault.reason, attempt)
            if fault.status in PERMANENT:
                shutil.rmtree(folder / "partial" / wanted.id, ignore_errors=True)
            if fault.status != "transient":
                return last
        if attempt < settings.attempts:
            time.sleep(settings.backoff_seconds * 2 ** (attempt - 1))
    return last


def place(wanted: Wanted, folder: Path) -> Path:
    """Where the sound of a clip lies."""
    return folder / "audio" / f"{wanted.id}.flac"


def _make(wanted: Wanted, target: Path, scratch: Path, settings: MusicCaps, address: str) -> None:
    source = _fetch(address.format(id=wanted.id), scratch, settings)
    with replacing(target) as temporary:
        if said := ffmpeg.clip(source, temporary, wanted.start, wanted.end - wanted.start):
            raise Fault("corrupt", said)
        got = _seconds(temporary)
        if abs(got - (wanted.end - wanted.start)) > TOLERANCE_SECONDS:
            raise Fault("wrong length", f"{got:.2f} s of {wanted.end - wanted.start:g} are there")
    shutil.rmtree(scratch)


def _fetch(address: str, scratch: Path, settings: MusicCaps) -> Path:
    """The best sound of a video, whole, in `scratch`. A killed download left `source.part`, which is continued."""
    from yt_dlp import YoutubeDL
    from yt_dlp.utils import DownloadError

    scratch.mkdir(parents=True, exist_ok=True)
    options = {
        "format": "bestaudio/best",
        "outtmpl": {"default": str(scratch / "source").replace("%", "%%")},
        "quiet": True,
        "noprogress": True,
        "no_warnings": True,
        "logger": _Silent(),
        "noplaylist": True,
        "cachedir": False,
        "socket_timeout": settings.timeout_seconds,
        "retries": 1,  # the loop around it waits longer between attempts
        "extractor_retries": 0,
        "cookiefile": settings.cookies or None,
    }
    try:
        with YoutubeDL(options) as site:
            site.extract_info(address)
    except DownloadError as error:
        raise _fault(error) from error
    source = scratch / "source"
    if not source.exists() or not source.stat().st_size:
        raise Fault("transient", "the download left no file")
    return source


def _fault(error: Exception) -> Fault:
    """The kind of a DownloadError, by what it says; what is not known may pass. Raises OSError for a full disk."""
    if os.strerror(errno.ENOSPC) in str(error):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
    said = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split()).removeprefix("ERROR: ")
    for status, saying in SAYINGS:
        if re.search(saying, said, re.IGNORECASE):
            return Fault(status, said)
    return Fault("transient", said)


def _seconds(path: Path) -> float:
    import soundfile

    try:
        return soundfile.info(path).duration
    except soundfile.LibsndfileError as error:
        raise Fault("corrupt", "no sound came out of it") from error


class _Silent:
    """yt-dlp's messages go nowhere: the fault carries them."""

    def debug(self, message: str) -> None:
        pass

    info = warning = error = debug
