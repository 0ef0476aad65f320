"""The words in which a file of music is cut into clips."""

from dataclasses import dataclass


class Unusable(Exception):
    """Why a file gives no clips: `status` is the kind of fault, `reason` a sentence."""

    def __init__(self, status: str, reason: str):
        super().__init__(status, reason)  # both, so that it survives the way back from a worker process
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Rules:
    """What makes a clip: its length at most and at least, and the RMS below which it is silent."""

    seconds: float
    least_seconds: float
    silence_db: float


@dataclass(frozen=True)
class Piece:
    """A clip's file, not yet written: FLAC, or NumPy's format for latents. `facts` are what was measured on it."""

    suffix: str
    content: bytes
    start_seconds: float
    seconds: float
    facts: dict[str, float]
