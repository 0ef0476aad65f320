"""Stage `prepare`: the corpus that params.yaml names -> clips with captions, and what became of every source."""

from eisbach.command import run


def main() -> None:
    from eisbach import places
    from eisbach.data import corpus
    from eisbach.params import load

    corpus.prepare(load().prepare, places.MANIFEST.parent)


if __name__ == "__main__":
    run(main)
