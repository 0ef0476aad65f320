"""`python -m predictions.register`: the stage `register`, which seals the registry before confirmatory seeds train."""

import argparse

from eisbach.pipeline.command import run


def main() -> None:
    from eisbach.pipeline.params import load
    from predictions.registry import load as registry
    from predictions.registry import seal

    argparse.ArgumentParser(prog="python -m predictions.register", description=__doc__).parse_args()
    params = load()
    seal.seal(registry.load(), [*params.seeds, *params.toys.seeds])


if __name__ == "__main__":
    run(main)
