"""The duration of a stage, for the report's provenance. It is written only when DVC runs the stage."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path("results") / "durations"  # /<stage>.json


def _cpu() -> float:
    """User and system seconds of this process and of its child processes that have ended."""
    return sum(os.times()[:4])


@dataclass(frozen=True)
class Clock:
    """Measures wall and CPU time from its creation."""

    wall: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=_cpu)

    def record(self) -> None:
        """Write wall and CPU seconds (of all threads and ended child processes) under the stage's name in DVC_STAGE.

        Does nothing without DVC_STAGE.
        """
        from eisbach.pipeline.tables import write_metrics

        stage = os.environ.get("DVC_STAGE")
        if stage:
            took = {"wall_s": round(time.monotonic() - self.wall, 1), "cpu_s": round(_cpu() - self.cpu, 1)}
            write_metrics(FOLDER / f"{stage.replace('/', '_')}.json", {"stage": stage, **took})
