"""Stage `prepare`: make the corpus that params.yaml names: clips with captions, and the status of every source."""

from eisbach.pipeline import command


def main() -> None:
    from eisbach.data import corpus
    from eisbach.pipeline import paths
    from eisbach.pipeline.params import load

    corpus.prepare(load().prepare, paths.MANIFEST.parent)


if __name__ == "__main__":
    command.stage(main)
