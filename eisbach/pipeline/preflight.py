"""Check params.yaml before DVC starts: `python -m eisbach.pipeline.preflight`, which `make repro` calls.

It finds what would otherwise end a stage after hours, or DVC in its own words: invalid settings, arms that cannot
train, adapters that cannot be read, and paths that do not exist.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from eisbach.errors import UserError
from eisbach.pipeline import command
from eisbach.pipeline.params import Folder, MusicCaps, Params, Scores, load

WRITTEN = ("artifacts", "results", "report", ".cache", ".dvc")  # by the pipeline: nothing in them can be an input


def check(params: Params) -> None:
    """Raises UserError for a path in `params` that does not exist or that the pipeline itself writes, for arms that
    cannot train, and for an imported adapter that cannot be read. Paths are relative to the current folder.
    """
    from eisbach.pipeline import arm_check

    for key, given, kind in _paths(params):
        _check_path(key, given, kind)
    arm_check.finetune(params.finetune)
    arm_check.toys(params.toys)
    if any(Path(params.imported).glob("[!.]*.safetensors")) or any(Path(params.imported).glob("[!.]*/")):
        from eisbach.adapters import imported  # takes seconds

        for path in imported.files(params.imported, arm_check.taken_names(params.finetune)).values():
            imported.read(path)


def _paths(params: Params) -> Iterator[tuple[str, str, str]]:
    """(key, path, "folder" or "file") of every path that must exist."""
    corpus = params.prepare.corpus
    yield "imported", params.imported, "folder"
    yield "prepare.corpus.path", corpus.path, "file" if isinstance(corpus, Scores) else "folder"
    optional = [("evaluate.clap", params.evaluate.clap, "folder")]
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
        exists = path.is_dir() if kind == "folder" else path.is_file()
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
