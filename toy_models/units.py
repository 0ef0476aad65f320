"""A unit of the stage `toys`: one regime and one block of seeds, kept in a folder of its own when done."""

import hashlib
import json
from pathlib import Path

import torch

from eisbach.files import replacing
from eisbach.pipeline.params import Toys
from toy_models import experiment, ideal
from toy_models.regimes import ANALYTIC

CODE = (
    "arms.py",
    "barrier.py",
    "flow.py",
    "objective.py",
    "seeds.py",
    "weighting",
)  # of eisbach
# For glibc, which reads it as a process starts: to keep the memory that a step frees, as the next asks for it again.
# Mapping it anew took a seventh of a unit's time. Elsewhere these names mean nothing.
MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}


def single_threaded() -> None:
    """Units run side by side, a core each; and a sum's order must not depend on how many cores there are."""
    torch.set_num_threads(1)


def work(folder: Path, name: str, seeds: list[int], settings: Toys) -> None:
    """Run a unit and write its tables, all of them or none."""
    found = ideal.analytic(seeds, settings) if name == ANALYTIC else experiment.run(name, seeds, settings)
    with replacing(folder) as temporary:
        temporary.mkdir()
        for table, rows in found.items():
            if len(rows):
                rows.to_parquet(temporary / f"{table}.parquet", index=False)


def digest(name: str, seeds: list[int], settings: Toys) -> str:
    """A name for a unit's result: it changes with the unit, its settings and the code, not with the other seeds."""
    root = Path(__file__).parent
    code = sorted(root.glob("*.py"))
    for path in (root.parent / "eisbach" / name for name in CODE):
        code += sorted(path.glob("*.py")) if path.is_dir() else [path]
    facts = {key: value for key, value in vars(settings).items() if key not in ("seeds", "block", "regimes")}
    facts["regimes"] = settings.regimes if name == ANALYTIC else [name]
    text = json.dumps([name, seeds, facts, torch.__version__], sort_keys=True).encode()
    return hashlib.sha256(text + b"".join(file.read_bytes() for file in code)).hexdigest()[:20]
