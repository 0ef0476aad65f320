"""The seal that keeps a confirmatory run honest: what settings, registry, validity table and code were before it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import TypeAdapter

from eisbach.errors import UserError
from eisbach.metrics import validity
from eisbach.pipeline import paths, yaml_file
from eisbach.pipeline.tables import write_metrics
from predictions.git import ROOT, git
from predictions.registry.schema import Registry

SEAL = paths.REGISTRATION
PARAMS = Path("params.yaml")
CODE = ("eisbach", "toy_models", "predictions")
NOT_CODE = ("predictions/report/",)  # it writes pages, and changes no word
NOT_SETTINGS = ("seeds",)  # which seeds ran is judged by themselves; those of the toys likewise


def digest(registry: Registry) -> str:
    """SHA-256 of the registry's content: comments and layout do not count."""
    return _sha256(TypeAdapter(Registry).dump_python(registry, mode="json"))


def contents(registry: Registry, root: Path = ROOT) -> dict[str, str]:
    """One hash for each thing that is sealed, by a name that says what it is.

    Every section of the settings, the registry's rules, systems, controls, margins, and each atom by its id, the
    validity table, and each file of code.
    """
    plan = TypeAdapter(Registry).dump_python(registry, mode="json")
    found = {
        f"registry: {key}": _sha256(plan[key])
        for key in ("rules", "confirmatory", "freezing", "systems", "controls", "forecast")
    }
    found |= {f"registry: {atom['id']}": _sha256(atom) for claim in plan["claims"] for atom in claim["atoms"]}
    found |= {f"registry: {claim['id']} by algebra": _sha256(claim["algebra"]) for claim in plan["claims"]}
    found |= {f"margins: {atom}": _sha256(of) for atom, of in plan["margins"].items()}
    found["validity table"] = _sha256(validity.load())
    settings = yaml_file.read(root / PARAMS, "params.yaml", "restore it with git") or {}
    found |= {f"settings: {key}": _sha256(value) for key, value in _without_seeds(settings).items()}
    for folder in CODE:
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not name.startswith(NOT_CODE):
                found[f"code: {name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names whose hash differs between two `contents`, sorted."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def clean(folder: Path = ROOT) -> bool:
    """Whether git reports no change in the repository of `folder`, apart from dvc.lock, which DVC writes during a run.

    False without git.
    """
    return git("status", "--porcelain", "--", ":/", ":(exclude,top)dvc.lock", folder=folder) == ""


def committed(path: str | Path) -> bool:
    """Whether the file equals its version in git's last commit, byte for byte; a file that is neither, too."""
    path = Path(path).resolve()
    return git("show", f"HEAD:./{path.name}", folder=path.parent) == (path.read_text() if path.is_file() else None)


def seal(registry: Registry, seeds: Iterable[int], target: Path = SEAL, root: Path = ROOT) -> None:
    """Write the seal to `target` if any seed is confirmatory; runs before training.

    A seal that is there stays as it is, whatever has changed since: `broken` then says what. Raises UserError when
    confirmatory seeds are to run on a tree with changes that are not committed.
    """
    if read(target)["sealed"]:
        return
    if not set(seeds) & set(registry.confirmatory.seeds):
        write_metrics(target, {"sealed": False})
        return
    if not clean(root):
        raise UserError("confirmatory seeds cannot start on changes that are not committed; commit them, or use others")
    found = contents(registry, root)
    revision = (git("rev-parse", "HEAD", folder=root) or "").strip()
    write_metrics(target, {"sealed": True, "seal": _sha256(found), "commit": revision, "contents": found})


def broken(
    registry: Registry, tables: Mapping[str, str], target: Path = SEAL, root: Path = ROOT, most: int = 5
) -> str | None:
    """Why a run is not the one that was sealed, in a sentence that names what differs; None where it is.

    `tables`: the seal under which each table of outcomes was written, by its path. Committing results moves the
    commit, so commits are recorded and not compared.
    """
    sealed = read(target)
    if not sealed["sealed"]:
        return "nothing was sealed before the run"
    if names := changed(sealed["contents"], contents(registry, root)):
        more = f" and {len(names) - most} more" if len(names) > most else ""
        return f"changed after the seal: {', '.join(names[:most])}{more}"
    others = sorted(path for path, under in tables.items() if under != sealed["seal"])
    return f"{others[0]} was written under another seal" if others else None


def read(target: Path = SEAL) -> dict:
    """The seal, or `{"sealed": False}` where there is none. Raises UserError where the file is damaged."""
    if not target.is_file():
        return {"sealed": False}
    try:
        written = json.loads(target.read_text())
        return written if not written["sealed"] or written["contents"] else {"sealed": False}
    except (ValueError, KeyError, TypeError) as error:
        raise paths.damaged(target, error) from error


def _without_seeds(settings: dict) -> dict:
    kept = {key: value for key, value in settings.items() if key not in NOT_SETTINGS}
    toys = kept.get("toys")
    return kept | ({"toys": {key: value for key, value in toys.items() if key != "seeds"}} if toys else {})


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
