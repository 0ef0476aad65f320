"""`python -m predictions.register`: the stage `register`, before anything trains. Seals what will be judged."""

from eisbach.command import run


def main() -> None:
    from eisbach.params import load
    from predictions import registry

    params = load()
    registry.seal(registry.load(), [*params.seeds, *params.toys.seeds])


if __name__ == "__main__":
    run(main)
