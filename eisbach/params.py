"""params.yaml -> frozen dataclasses. An unknown or ill-typed key is an error that names it."""

import json
from dataclasses import field
from pathlib import Path

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from eisbach.errors import UserError

section = dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))


@section
class Prepare:
    """The corpus of rendered scores. Counts are clips; every piece belongs to one split."""

    seed: int = 0
    clip_seconds: float = 10.0
    clips: dict[str, int] = field(default_factory=lambda: {"base": 64, "finetune": 192, "heldout": 96})
    soundfont: str = ""  # empty: the one that pretty_midi carries


@section
class Params:
    """All of params.yaml; a stage reads its own section."""

    prepare: Prepare = field(default_factory=Prepare)


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check the whole file.

    Raises UserError naming the file, the key and the fault when the file is missing, is not YAML, or has an
    unknown or ill-typed key.
    """
    path = Path(path)
    try:
        given = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run from the project's root, where params.yaml lies") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable as YAML: {' '.join(str(error).split())}") from error
    try:
        return TypeAdapter(Params).validate_json(json.dumps(given or {}), strict=True)
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(map(_fault, error.errors()))}; correct it and run again") from error


def _fault(fault: dict) -> str:
    key = ".".join(map(str, fault["loc"]))
    if fault["type"] == "unexpected_keyword_argument":
        return f"unknown key '{key}'"
    return f"'{key}' is {fault['input']!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
