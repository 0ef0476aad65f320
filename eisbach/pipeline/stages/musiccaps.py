"""`python -m eisbach.pipeline.stages.musiccaps`: fetch MusicCaps' clips ahead of `dvc repro`.

Not a stage of the pipeline: it may take a night, and `prepare` fetches what is missing anyway. Stopped and typed
again it goes on where it was.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from eisbach.pipeline.command import run

FOLDER = Path("artifacts/musiccaps")
CONF = Path("conf/data/musiccaps.yaml")


def main() -> None:
    from eisbach.data import corpus, status
    from eisbach.data.musiccaps import fetching
    from eisbach.data.musiccaps import table as musiccaps_table
    from eisbach.pipeline.params import MusicCaps, load, read_yaml

    prepare = load().prepare
    own = prepare.corpus
    if not isinstance(own, MusicCaps):
        own = MusicCaps(
            **read_yaml(CONF, str(CONF), "run from the project's root, which holds conf/")["prepare"]["corpus"]
        )
    settings = replace(own, **{name: value for name, value in _asked().items() if value is not None})
    rows = musiccaps_table.select(settings, prepare.seed)
    outcomes = fetching.fetch([row.wanted for row in rows], corpus.CACHE / "musiccaps", settings)
    status.write(outcomes.values(), FOLDER)
    for kind, count in status.counts(outcomes.values()).items():
        print(f"{count:6d} {kind}")
    print(f"{FOLDER / 'status.parquet'} has the reason for each")


def _asked() -> dict:
    """What the command line says, by the names of params.yaml; None where it says nothing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", help="the folder with musiccaps-public.csv")
    parser.add_argument("--limit", type=int, help="at most so many clips")
    subset = parser.add_mutually_exclusive_group()
    for option, name in (("--only-eval", "eval"), ("--only-train", "train"), ("--balanced", "balanced")):
        subset.add_argument(option, dest="subset", action="store_const", const=name)
    parser.add_argument("--among", help="another run's status.parquet: only clips that it had")
    parser.add_argument("--cookies", help="a cookies.txt of a browser")
    parser.add_argument("--workers", type=int, help="clips at a time")
    return vars(parser.parse_args())


if __name__ == "__main__":
    run(main)
