"""Types that decoding, cutting and the corpora of recorded music share."""

from dataclasses import dataclass


class Unusable(Exception):
    """A file gives no clips: `status` is the kind of fault, `reason` describes it in a sentence."""

    def __init__(self, status: str, reason: str):
        super().__init__(status, reason)  # both, so that the exception can be pickled by a worker process
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Rules:
    """The length of a clip, the least length of a shorter one, the RMS below which a clip is silent, and its level."""

    seconds: float
    least_seconds: float
    silence_db: float
    level: str = "rms"  # as `prepare.level`
    seed: int = 0  # of the files' loudness, for the level "lufs"


@dataclass(frozen=True)
class Remark:
    """What the status table says of a usable file: seconds that give no clips, or a change to its audio."""

    reason: str
    lost_seconds: float | None = None  # None: nothing is lost. 0: something is, its length unknown


@dataclass(frozen=True)
class ClipFile:
    """The content of a clip's file, before it is written."""

    suffix: str  # "flac", or "npy" for latents
    content: bytes
    start_seconds: float  # in the source file
    seconds: float
    facts: dict[str, float | str]  # measured on the clip
