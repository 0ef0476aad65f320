"""Stage `sources`: list the files of the corpus's folder with their hashes, so that new music starts a new run."""

from eisbach.pipeline import command


def main() -> None:
    from pathlib import Path

    from eisbach.data.corpus import CACHE
    from eisbach.data.fingerprint import fingerprint
    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.params import load

    tables.write_metrics(paths.SOURCES, fingerprint(Path(load().prepare.corpus.path), CACHE / "digests.json"))


if __name__ == "__main__":
    command.stage(main)
