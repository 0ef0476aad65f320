"""`python -m eisbach.pipeline.stages.musiccaps`: download MusicCaps' clips ahead of `dvc repro`.

Not a stage of the pipeline: the download takes hours, and `prepare` downloads missing clips anyway. Run again, it
continues where it stopped.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eisbach.pipeline.command import run

FOLDER = Path("artifacts/musiccaps")
CONF = Path("conf/data/musiccaps.yaml")


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    from eisbach.data import corpus, status
    from eisbach.data.musiccaps import annotations, fetching
    from eisbach.pipeline import yaml_file
    from eisbach.pipeline.params import MusicCaps, load

    prepare = load().prepare
    settings = prepare.corpus
    if not isinstance(settings, MusicCaps):
        conf = yaml_file.read(CONF, str(CONF), "run from the project's root, which holds conf/")
        settings = MusicCaps(**conf["prepare"]["corpus"])
    settings = replace(settings, **{name: value for name, value in options.items() if value is not None})
    rows = annotations.select(settings, prepare.seed)
    statuses = fetching.fetch([row.segment for row in rows], corpus.CACHE / "musiccaps", settings)
    status.write(statuses.values(), FOLDER)
    for kind, count in status.counts(statuses.values()).items():
        print(f"{count:6d} {kind}")
    print(f"{FOLDER / 'status.parquet'} has the reason for each")


def _parse(arguments: Sequence[str] | None) -> dict:
    """Settings of params.yaml's `prepare.corpus` by name; None where the command line does not set them."""
    parser = argparse.ArgumentParser(
        prog="python -m eisbach.pipeline.stages.musiccaps",
        description="Download MusicCaps' clips ahead of `dvc repro`. Run again, it continues where it stopped.",
        epilog="Defaults are those of prepare.corpus in params.yaml.",
    )
    parser.add_argument("--path", help="the folder with musiccaps-public.csv")
    parser.add_argument("--limit", type=int, help="download at most this many clips")
    subset = parser.add_mutually_exclusive_group()
    for option, name in (("--only-eval", "eval"), ("--only-train", "train"), ("--balanced", "balanced")):
        subset.add_argument(option, dest="subset", action="store_const", const=name, help=f"the {name} subset only")
    parser.add_argument("--among", help="another run's status.parquet: download only clips that it has")
    parser.add_argument("--cookies", help="a browser's cookies.txt")
    parser.add_argument("--workers", type=int, help="number of parallel downloads")
    return vars(parser.parse_args(arguments))


if __name__ == "__main__":
    run(main)
