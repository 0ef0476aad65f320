"""How long a stage took, for the report's provenance; only where DVC runs it, so that nothing else leaves traces."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path("results") / "durations"  # /<stage>.json


def _cpu() -> float:
    """User and system seconds of this process and of the children it has waited for."""
    return sum(os.times()[:4])


@dataclass(frozen=True)
class Clock:
    """Started when it is made."""

    wall: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=_cpu)

    def record(self) -> None:
        """Write stage, wall and CPU seconds (all threads, and processes that have ended); the stage's name is DVC's."""
        from eisbach.pipeline.tables import write_metrics

        stage = os.environ.get("DVC_STAGE")
        if stage:
            took = {"wall_s": round(time.monotonic() - self.wall, 1), "cpu_s": round(_cpu() - self.cpu, 1)}
            write_metrics(FOLDER / f"{stage.replace('/', '_')}.json", {"stage": stage, **took})
