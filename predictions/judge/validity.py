"""Which metrics of music carry no verdict: those that do not separate known groups of real clips."""

import json
from pathlib import Path

from eisbach import metrics

PATH = Path(metrics.__file__).with_name("validity.json")


def invalid(path: Path = PATH) -> dict[str, str]:
    """Invalid metric -> why, from the file that `eisbach.metrics.validity` describes; empty if there is none."""
    measured = json.loads(path.read_text()) if path.is_file() else {}
    return {name: facts["reason"] for name, facts in measured.items() if not facts["valid"]}


def base_metric(metric: str) -> str:
    """The metric of one set of samples that `metric` is computed from: `gap/vendi`, `vendi/between_seeds` -> `vendi`.

    Only that one has known groups of real clips. A metric computed from an invalid one is invalid too.
    """
    return metric.removeprefix("gap/").partition("/between_seeds")[0]
