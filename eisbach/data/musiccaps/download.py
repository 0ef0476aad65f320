"""Download one clip: yt-dlp fetches the video's best audio, ffmpeg cuts the segment.

Every failure has a kind. PERMANENT kinds are never tried again; the others are tried again in the next run, and
"transient" ones also a few times in this run.
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
from eisbach.data.status import SourceStatus
from eisbach.pipeline.files import replacing
from eisbach.pipeline.params import MusicCaps

ADDRESS = "https://www.youtube.com/watch?v={id}"  # a full URL, so that an id beginning with - is not an option
ID = re.compile(r"[A-Za-z0-9_-]{11}")
PERMANENT = ("refused", "unavailable", "private", "wrong length", "corrupt")  # the others: "blocked", "transient"
TOLERANCE_SECONDS = 0.05  # a resampler may give a few samples more or less

# Kinds of failure and what the site's messages say about them; the first match counts.
MESSAGES = (
    ("transient", r"HTTP Error (?:408|429|5\d\d)|timed out|timeout|connection|reset by|temporary"),
    ("private", r"private video|members[- ]only|join this channel"),
    (
        "blocked",
        r"not a bot|sign in|your age|age[- ]restricted|cookies|in your country|geo[- ]?restrict|HTTP Error 40[13]",
    ),
    ("unavailable", r"unavailable|removed|terminated|not available|does not exist|deleted|HTTP Error (?:404|410)"),
)


@dataclass(frozen=True)
class Segment:
    """Seconds [start, end) of a video."""

    id: str
    start: float
    end: float


class DownloadFailure(Exception):
    """There is no clip: `status` is the kind of failure, `reason` describes it in a sentence."""

    def __init__(self, status: str, reason: str):
        super().__init__(status, reason)
        self.status, self.reason = status, reason


def clip(segment: Segment, folder: Path, settings: MusicCaps, address: str = ADDRESS) -> SourceStatus:
    """Download a segment to folder/audio/ID.flac, 44.1 kHz stereo, and return its status.

    An existing file is complete and is not downloaded again; a partial download of a killed run is continued. Never
    raises for a failure of the site; raises UserError and OSError like `ffmpeg.clip`.
    """
    if not ID.fullmatch(segment.id):
        return SourceStatus(segment.id, "refused", "the id is not a video's; no request was sent", attempts=0)
    target = audio_path(segment, folder)
    for attempt in range(1, settings.attempts + 1):
        try:
            if not target.exists():
                _make(segment, target, folder / "partial" / segment.id, settings, address)
            return SourceStatus(segment.id, "ok", "", attempt, 1, hashlib.sha256(target.read_bytes()).hexdigest())
        except DownloadFailure as failure:
            last = SourceStatus(segment.id, failure.status, failure.reason, attempt)
            if failure.status in PERMANENT:
                shutil.rmtree(folder / "partial" / segment.id, ignore_errors=True)
            if failure.status != "transient":
                return last
        if attempt < settings.attempts:
            time.sleep(settings.backoff_seconds * 2 ** (attempt - 1))
    return last


def audio_path(segment: Segment, folder: Path) -> Path:
    """The path of a segment's audio in the download folder."""
    return folder / "audio" / f"{segment.id}.flac"


def _make(segment: Segment, target: Path, scratch: Path, settings: MusicCaps, address: str) -> None:
    source = _fetch(address.format(id=segment.id), scratch, settings)
    length = segment.end - segment.start
    with replacing(target) as temporary:
        if message := ffmpeg.clip(source, temporary, segment.start, length):
            raise DownloadFailure("corrupt", message)
        seconds = _seconds(temporary)
        if abs(seconds - length) > TOLERANCE_SECONDS:
            raise DownloadFailure("wrong length", f"the video has {seconds:.2f} of the {length:g} s")
    shutil.rmtree(scratch)


def _fetch(address: str, scratch: Path, settings: MusicCaps) -> Path:
    """Download the best audio of a whole video into `scratch`, continuing the `source.part` of a killed run."""
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
        "retries": 1,  # `clip` has its own retries, with longer waits
        "extractor_retries": 0,
        "cookiefile": settings.cookies or None,
    }
    try:
        with YoutubeDL(options) as site:
            site.extract_info(address)
    except DownloadError as error:
        raise _failure(error) from error
    source = scratch / "source"
    if not source.exists() or not source.stat().st_size:
        raise DownloadFailure("transient", "the download left no file")
    return source


def _failure(error: Exception) -> DownloadFailure:
    """Classify a DownloadError by its message; unknown messages are transient. Raises OSError for a full disk."""
    if os.strerror(errno.ENOSPC) in str(error):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
    message = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split()).removeprefix("ERROR: ")
    for status, pattern in MESSAGES:
        if re.search(pattern, message, re.IGNORECASE):
            return DownloadFailure(status, message)
    return DownloadFailure("transient", message)


def _seconds(path: Path) -> float:
    import soundfile

    try:
        return soundfile.info(path).duration
    except soundfile.LibsndfileError as error:
        raise DownloadFailure("corrupt", "ffmpeg decoded no audio") from error


class _Silent:
    """Drops yt-dlp's log messages; the DownloadFailure has the error."""

    def debug(self, message: str) -> None:
        pass

    info = warning = error = debug
