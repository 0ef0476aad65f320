"""Stage `prepare`: public-domain scores -> ten-second clips with captions and a known amount of contrast."""

from eisbach.command import run


def main() -> None:
    from eisbach import places
    from eisbach.data import scores
    from eisbach.params import load

    scores.prepare(load().prepare, places.MANIFEST.parent)


if __name__ == "__main__":
    run(main)
