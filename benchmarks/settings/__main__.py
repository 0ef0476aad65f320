"""Train arms on development seeds at several learning rates and lengths, and keep what each run's outcomes are made of.

    python -m benchmarks.settings FOLDER --seeds 1000 1001 --lr 2e-3 --marks 50 100

It needs artifacts/encode/archive.safetensors. `python -m benchmarks.settings.effects FOLDER` reads the tables.
"""

from pathlib import Path

from eisbach.pipeline import command


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument("folder", type=Path, help="where the tables go")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--marks", type=int, nargs="+", default=[100], help="steps after which the arms are measured")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--clips", type=int, default=32, help="held-out clips on which the losses are measured")
    given = parser.parse_args()

    import torch

    from benchmarks.settings.run import run

    torch.set_num_threads(1)
    for seed in given.seeds:
        run(seed, given.lr, given.batch, sorted(given.marks), given.clips, given.prompts, given.folder)


if __name__ == "__main__":
    command.run(main)
