"""Stage `sources`: list the files of the corpus and of the imported adapters with their hashes.

Stages depend on these lists, so that a new file reruns them.
"""

from eisbach.pipeline import command


def main() -> None:
    from pathlib import Path

    from eisbach.data.corpus import CACHE
    from eisbach.data.fingerprint import fingerprint
    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.params import load

    params = load()
    for path, folder in ((paths.SOURCES, params.prepare.corpus.path), (paths.IMPORTED, params.imported)):
        tables.write_metrics(path, fingerprint(Path(folder), CACHE / "digests" / path.name))


if __name__ == "__main__":
    command.stage(main)
