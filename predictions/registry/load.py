"""registry.yaml -> `Registry`, checked; its hashes, and the seal that keeps a confirmatory run honest."""

import hashlib
import json
import subprocess
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from eisbach.errors import UserError
from eisbach.pipeline import paths
from eisbach.pipeline.params import read_yaml
from eisbach.pipeline.tables import write_metrics
from predictions.registry.schema import NUMERIC, Hypothesis, Registry, arm

REGISTRY = Path(__file__).parent / "registry.yaml"
SEAL = paths.REGISTRATION

_NEEDS = {
    "difference": ("metric", "arms", "against", "direction", "family"),
    "interaction": ("metric", "arms", "against", "direction", "family"),
    "trend": ("metric", "arms", "direction", "family"),
    "bound": ("metric", "arms", "direction", "bound", "family"),
    "equivalence": ("metric", "arms", "against", "family"),
    "noninferiority": ("metric", "arms", "against", "direction", "family"),
    "exact": ("metric", "arms", "bound", "margin"),
    "universal": ("search",),
    "all": ("parts",),
}
_MAY = {
    "difference": ("margin", "controls", "against_metric", "requires"),
    "interaction": ("margin",),
    "trend": ("margin",),
    "bound": ("against",),
    "equivalence": ("margin", "requires"),
    "noninferiority": ("margin", "requires"),
    "exact": ("against",),
    "universal": ("family",),
}
_KEYS = (
    "metric",
    "arms",
    "against",
    "against_metric",
    "direction",
    "bound",
    "margin",
    "requires",
    "controls",
    "family",
    "parts",
    "search",
)


def load(path: str | Path = REGISTRY) -> Registry:
    """Read and check a registry.

    Raises UserError naming the file and the key when it is missing, is no YAML, has an unknown, missing or ill-typed
    key, an id twice, an arm that cannot be read, a part that does not exist, or a regime left without a word.
    """
    path = Path(path)
    given = read_yaml(path, f"the registry {path}", "restore it with git")
    try:
        registry = TypeAdapter(Registry).validate_json(json.dumps(given or {}), strict=True)
    except (ValidationError, TypeError) as error:
        faults = error.errors() if isinstance(error, ValidationError) else [{"loc": (), "msg": str(error)}]
        listed = "; ".join(f"'{'.'.join(map(str, fault['loc']))}': {fault['msg']}" for fault in faults)
        raise UserError(f"the registry {path}: {listed}; correct it") from error
    if faults := _faults(registry):
        raise UserError(f"the registry {path}: {'; '.join(faults)}; correct it")
    return registry


def _faults(registry: Registry) -> list[str]:
    ids = [claim.id for claim in registry.claims] + [hypothesis.id for _, hypothesis in registry.hypotheses]
    faults = [f"the id '{name}' stands twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    return faults + [fault for _, hypothesis in registry.hypotheses for fault in _of_one(registry, hypothesis)]


def _of_one(registry: Registry, hypothesis: Hypothesis) -> list[str]:
    """What is wrong with one hypothesis; a key that its kind does not read is a fault too: it would promise a test."""
    needs = _NEEDS[hypothesis.kind]
    faults = []
    for key in _KEYS:
        given = getattr(hypothesis, key) not in ("", [], {}, None)
        if key in needs and not given:
            faults.append(f"'{key}' is missing from {hypothesis.id}")
        if given and key not in needs and key not in _MAY.get(hypothesis.kind, ()):
            faults.append(f"'{key}' means nothing to kind {hypothesis.kind} in {hypothesis.id}")
    for text in (*hypothesis.arms, *hypothesis.against, *hypothesis.controls):
        try:
            arm(text)
        except ValueError as error:
            faults.append(f"{error} ({hypothesis.id})")
    if not hypothesis.against_metric:
        both = sorted({*hypothesis.arms, *hypothesis.controls} & set(hypothesis.against))
        faults += [f"{text} stands on both sides of {hypothesis.id}" for text in both]
    if hypothesis.kind == "trend":
        faults += [f"{text} has no lambda ({hypothesis.id})" for text in hypothesis.arms if "@" not in text]
    known = {other.id: other for _, other in registry.hypotheses}
    for part in hypothesis.parts:
        if part not in known or known[part].kind not in NUMERIC:
            faults.append(f"the part '{part}' of {hypothesis.id} is no hypothesis with a metric")
        elif lost := sorted({*hypothesis.regimes} - {*known[part].regimes}):
            faults.append(f"{hypothesis.id} is judged on '{lost[0]}', and its part '{part}' is not")
    for regime in registry.regimes:
        if (regime in hypothesis.regimes) == (regime in hypothesis.skip):
            faults.append(f"{hypothesis.id} must name '{regime}' once, under regimes or, with its reason, under skip")
    for regime in hypothesis.regimes:
        judged = regime in registry.regimes and hypothesis.kind not in ("universal", "all")
        if judged and not (registry.regimes[regime].gate or hypothesis.ungated):
            faults.append(f"{hypothesis.id} hangs on an assay, and '{regime}' has no gate; say why under ungated")
    for regime in {*hypothesis.regimes, *hypothesis.skip} - set(registry.regimes):
        if regime in hypothesis.regimes or registry.pattern(regime) not in hypothesis.regimes:
            faults.append(f"{hypothesis.id} names '{regime}', which is no regime")
    return faults


def digest(registry: Registry) -> str:
    """SHA-256 of what the registry says: comments and layout do not count."""
    return hashlib.sha256(json.dumps(asdict(registry), sort_keys=True).encode()).hexdigest()


def digests(registry: Registry) -> dict[str, str]:
    """A hash for each part whose change must be named: regimes, seeds, every hypothesis."""
    parts = {"regimes": {name: asdict(regime) for name, regime in registry.regimes.items()}}
    parts["confirmatory"] = asdict(registry.confirmatory)
    parts |= {hypothesis.id: asdict(hypothesis) for _, hypothesis in registry.hypotheses}
    return {key: hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest() for key, part in parts.items()}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The keys that differ between two `digests`, sorted."""
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def git(*arguments: str, folder: Path = REGISTRY.parent) -> str | None:
    """What git prints, None where there is no git, no repository or no such object."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def clean() -> bool:
    """Whether everything is committed, the settings in params.yaml included; dvc.lock changes while a run goes on."""
    return git("status", "--porcelain", "--", ":/", ":(exclude,top)dvc.lock") == ""


def committed(path: str | Path = REGISTRY) -> bool:
    """Whether the file equals the one of git's last commit, byte for byte."""
    path = Path(path).resolve()
    return git("show", f"HEAD:./{path.name}", folder=path.parent) == path.read_text()


def seal(registry: Registry, seeds: list[int], path: str | Path = REGISTRY, target: Path = SEAL) -> None:
    """Before anything trains: write down what will be judged, if any seed is a confirmatory one.

    A seal once made stays: exploratory seeds after it do not remove it, or one such run would free the registry.
    Raises UserError when the registry is not the committed one, or differs from what was sealed before.
    """
    if not set(seeds) & set(registry.confirmatory.seeds):
        if not _read(target)["sealed"]:
            write_metrics(target, {"sealed": False})
        return
    if not committed(path):
        raise UserError(
            f"confirmatory seeds cannot start: {path} differs from the committed file; commit it, or use other seeds"
        )
    check_seal(registry, target)
    write_metrics(target, {"sealed": True, "registry": digest(registry), "parts": digests(registry)})


def check_seal(registry: Registry, target: Path = SEAL) -> None:
    """Raise UserError naming the keys in which the registry differs from the one that was sealed; else return."""
    written = _read(target)
    if written["sealed"] and (keys := changed(written["parts"], digests(registry))):
        raise UserError(
            f"the registry was edited after the confirmatory run was sealed in {target}: {', '.join(keys)}; "
            "restore it with git, or remove the seal and run on seeds that nobody has seen"
        )


def sealed(registry: Registry, target: Path = SEAL) -> bool:
    """Whether there is a seal, and of this very registry."""
    written = _read(target)
    return written["sealed"] and written["registry"] == digest(registry)


def _read(target: Path) -> dict:
    return json.loads(target.read_text()) if target.is_file() else {"sealed": False}
