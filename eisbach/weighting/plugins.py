"""Weightings of your own in a run: the files and modules of `finetune.plugins` and the installed entry points.

An entry point in the group `eisbach.weightings` names a module that registers weightings when it is imported. A file
or a module of `finetune.plugins` does the same; only the settings of the project name files, none is searched for.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from eisbach.errors import UserError

GROUP = "eisbach.weightings"


def load(plugins: Iterable[str]) -> list[ModuleType]:
    """Import every entry point of GROUP and every entry of `plugins`, once a process; returns the modules of `plugins`.

    An entry that ends in .py is a file, any other is the dotted name of an installed module. Raises UserError, naming
    the entry, for a missing file or module and for one whose import fails.
    """
    for point in entry_points(group=GROUP):
        _imported(f"the entry point '{point.name}' of {GROUP}", point.load)
    return [_imported(f"'{entry}' of finetune.plugins", lambda entry=entry: _module(entry)) for entry in plugins]


def fingerprint(plugins: Iterable[str]) -> dict[str, str]:
    """By entry, 16 hexadecimal digits of the SHA-256 of the file that was imported."""
    found = zip(plugins, load(plugins), strict=True)
    return {entry: hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest()[:16] for entry, module in found}


def _module(entry: str) -> ModuleType:
    if not entry.endswith(".py"):
        return importlib.import_module(entry)
    path = Path(entry).resolve(strict=True)
    name = f"eisbach_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)  # first: dataclasses look their module up
        try:
            spec.loader.exec_module(sys.modules[name])
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _imported(what: str, make):
    try:
        return make()
    except Exception as error:
        raise UserError(
            f"{what} cannot be imported: {type(error).__name__}: {error}; correct it or remove it"
        ) from error
