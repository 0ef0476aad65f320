"""Check params.yaml before DVC starts: `python -m eisbach.pipeline.preflight`, which `make repro` calls.

It finds what would otherwise end a stage after hours, or DVC in its own words: invalid settings, arms that cannot
train, adapters that cannot be read, and paths that do not exist.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from eisbach.errors import UserError
from eisbach.pipeline import command
from eisbach.pipeline.params import Folder, Model, MusicCaps, Params, Scores, load

WRITTEN = ("artifacts", "results", "report", ".cache", ".dvc")  # by the pipeline: nothing in them can be an input


def check(params: Params) -> None:
    """Raises UserError for a path in `params` that does not exist or that the pipeline itself writes, for arms that
    cannot train, and for an adapter that cannot be read. Paths are relative to the current folder.
    """
    from eisbach.pipeline import arm_check

    for key, given, kind in _paths(params):
        _check_path(key, given, kind)
    arm_check.finetune(params.finetune)
    arm_check.toys(params.toys)
    _check_source(params.model)
    start, folder = params.finetune.init_from, Path(params.imported)
    if start or any(folder.glob("[!.]*.safetensors")) or any(folder.glob("[!.]*/")):
        from eisbach.adapters import imported  # takes seconds

        found = imported.files(folder, arm_check.taken_names(params.finetune)).values()
        for path in [start, *found] if start else found:
            imported.read(path)


def _check_source(model: Model) -> None:
    from eisbach.models import hub

    try:
        if model.source:
            hub.locate(model.source, model.revision)
    except OSError as error:  # such as a name that is too long
        raise UserError(f"model.source in params.yaml cannot be read ({error.strerror}); correct it") from error


def _paths(params: Params) -> Iterator[tuple[str, str, str]]:
    """(key, path, "folder", "file" or "file or folder") of every path that must exist."""
    corpus = params.prepare.corpus
    yield "imported", params.imported, "folder"
    yield "prepare.corpus.path", corpus.path, "file" if isinstance(corpus, Scores) else "folder"
    optional = [
        ("evaluate.clap", params.evaluate.clap, "folder"),
        ("finetune.init_from", params.finetune.init_from, "file or folder"),
    ]
    if isinstance(corpus, Scores):
        optional.append(("prepare.corpus.soundfont", corpus.soundfont, "file"))
    if isinstance(corpus, MusicCaps):
        optional += [(f"prepare.corpus.{key}", getattr(corpus, key), "file") for key in ("among", "cookies")]
    if isinstance(corpus, Folder) and corpus.captions:
        optional.append(("prepare.corpus.captions", os.path.join(corpus.path, corpus.captions), "file"))
    yield from (one for one in optional if one[1])


def _check_path(key: str, given: str, kind: str) -> None:
    path = Path(given)
    try:
        exists = {"folder": path.is_dir, "file": path.is_file}.get(kind, path.exists)()
    except OSError as error:  # such as a name that is too long
        raise UserError(f"{key} in params.yaml cannot be read ({error.strerror}); correct it") from error
    if not exists:
        raise UserError(f"{key} is '{given}' in params.yaml, but there is no such {kind}; correct it")
    whole, root = path.resolve(), Path().resolve()
    inside = any(whole.is_relative_to(root / name) for name in WRITTEN)
    if key in ("imported", "prepare.corpus.path") and (inside or root.is_relative_to(whole)):
        raise UserError(
            f"{key} is '{given}' in params.yaml, where the pipeline writes its own files; move yours elsewhere"
        )


def main() -> None:
    command.parser(__doc__).parse_args()
    check(load())


if __name__ == "__main__":
    command.run(main)
