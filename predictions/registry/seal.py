"""The seal that keeps a confirmatory run honest: what was registered before it, and whether that has changed since."""

import hashlib
import json
from pathlib import Path

from pydantic import TypeAdapter

from eisbach.errors import UserError
from eisbach.pipeline import paths
from eisbach.pipeline.tables import write_metrics
from predictions.git import ROOT, git
from predictions.registry.load import REGISTRY
from predictions.registry.schema import Registry

SEAL = paths.REGISTRATION


def digest(registry: Registry) -> str:
    """SHA-256 of the registry's content: comments and layout do not count."""
    return _sha256(_content(registry))


def digests(registry: Registry) -> dict[str, str]:
    """One hash for each part: `regimes`, `confirmatory`, and every hypothesis by its id."""
    content = _content(registry)
    parts = {key: content[key] for key in ("regimes", "confirmatory")}
    parts |= {one["id"]: one for claim in content["claims"] for one in claim["hypotheses"]}
    return {key: _sha256(part) for key, part in parts.items()}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The keys whose hash differs between two `digests`, sorted."""
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def clean(folder: Path = ROOT) -> bool:
    """Whether git reports no change in the repository of `folder`, apart from dvc.lock, which DVC writes during a run.

    Settings count: params.yaml must be committed too. False without git.
    """
    return git("status", "--porcelain", "--", ":/", ":(exclude,top)dvc.lock", folder=folder) == ""


def committed(path: str | Path = REGISTRY) -> bool:
    """Whether the file equals its version in git's last commit, byte for byte."""
    path = Path(path).resolve()
    return git("show", f"HEAD:./{path.name}", folder=path.parent) == path.read_text()


def seal(registry: Registry, seeds: list[int], path: str | Path = REGISTRY, target: Path = SEAL) -> None:
    """Write the digests of the registry at `path` to `target` if any seed is confirmatory; runs before training.

    Exploratory seeds leave an existing seal as it is: otherwise one such run would allow the registry to change.
    Raises UserError when confirmatory seeds are to run and the registry differs from the committed file, or from the
    one that was sealed before.
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
    """Raises UserError naming the parts in which the registry differs from the sealed one, if there is a seal."""
    written = _read(target)
    if written["sealed"] and (keys := changed(written["parts"], digests(registry))):
        raise UserError(
            f"the registry was edited after the confirmatory run was sealed in {target}: {', '.join(keys)}; "
            "restore it with git, or remove the seal and run on new seeds"
        )


def sealed(registry: Registry, target: Path = SEAL) -> bool:
    """Whether there is a seal of exactly this registry."""
    written = _read(target)
    return written["sealed"] and written["registry"] == digest(registry)


def _content(registry: Registry) -> dict:
    return TypeAdapter(Registry).dump_python(registry, mode="json")


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read(target: Path) -> dict:
    return json.loads(target.read_text()) if target.is_file() else {"sealed": False}
