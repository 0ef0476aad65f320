"""`python -m predictions.register`: the stage `register`, which seals what decides before confirmatory seeds train."""

from eisbach.pipeline import command


def main() -> None:
    from eisbach.pipeline.params import load
    from predictions.registry import load as registry
    from predictions.registry import seal

    command.parser(__doc__).parse_args()
    params = load()
    seal.seal(registry.load(), [*params.seeds, *params.toys.seeds])


if __name__ == "__main__":
    command.run(main)
