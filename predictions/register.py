"""`python -m predictions.register`: the stage `register`, before anything trains. Seals what will be judged."""

from eisbach.pipeline.command import run


def main() -> None:
    from eisbach.pipeline.params import load
    from predictions.registry import load as registry

    params = load()
    registry.seal(registry.load(), [*params.seeds, *params.toys.seeds])


if __name__ == "__main__":
    run(main)
