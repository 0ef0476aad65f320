"""A unit of the stage `toys`: one regime and one block of seeds. The tables of a finished unit are kept in a folder."""

import hashlib
import json
from pathlib import Path

import torch

from eisbach.pipeline.files import replacing
from eisbach.pipeline.params import Toys
from toy_models import experiment, ideal
from toy_models.regimes import ANALYTIC

# Code in eisbach/ on which a unit's tables depend, besides all of toy_models/.
CODE = ("arms.py", "barrier.py", "flow.py", "objective.py", "pipeline/outcomes.py", "seeds.py", "weighting")
# Settings for glibc, read when a process starts: keep the memory that a training step frees, as the next step needs it
# again. Mapping it anew took a seventh of a unit's time. On other systems the variables have no effect.
MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}


def single_threaded() -> None:
    """Use one thread: units run in parallel, one per core, and the order of sums must not depend on the cores."""
    torch.set_num_threads(1)


def run_unit(folder: Path, name: str, seeds: list[int], settings: Toys) -> None:
    """Run a unit and write its tables into `folder`: all of them or none."""
    tables = ideal.analytic(seeds, settings) if name == ANALYTIC else experiment.run(name, seeds, settings)
    with replacing(folder) as temporary:
        temporary.mkdir()
        for table, rows in tables.items():
            if len(rows):
                rows.to_parquet(temporary / f"{table}.parquet", index=False)


def digest(name: str, seeds: list[int], settings: Toys) -> str:
    """A name for a unit's results, 20 hex digits of a hash of the unit, its settings and the code.

    It does not depend on the other seeds and, except for the closed-form regime, on the other regimes.
    """
    root = Path(__file__).parent
    code = sorted(root.glob("*.py"))
    for path in (root.parent / "eisbach" / name for name in CODE):
        code += sorted(path.glob("*.py")) if path.is_dir() else [path]
    facts = {key: value for key, value in vars(settings).items() if key not in ("seeds", "block", "regimes")}
    facts["regimes"] = settings.regimes if name == ANALYTIC else [name]
    text = json.dumps([name, seeds, facts, torch.__version__], sort_keys=True).encode()
    return hashlib.sha256(text + b"".join(file.read_bytes() for file in code)).hexdigest()[:20]
