"""The decorator of a section of params.yaml: a frozen dataclass that refuses unknown keys and converts no type."""

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

section = dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
