"""The effects in the tables of `python -m benchmarks.settings FOLDER`, with their paired standard errors over seeds.

    python -m benchmarks.settings.effects FOLDER [--clips 24]

A control is detected where the two-sided p of its paired t test is below .01. `seeds for .01` is the number of seeds at
which a t test of the same mean and standard deviation would reach it.
"""

from pathlib import Path

from eisbach.pipeline import command


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=1000, help="held-out clips to use")
    given = parser.parse_args()

    from benchmarks.settings import analysis

    shown = analysis.effects(analysis.outcomes(given.folder, given.clips))
    print(shown.to_string(float_format="{:.4g}".format))
    print(analysis.spreads(given.folder).to_string(float_format="{:.3g}".format))


if __name__ == "__main__":
    command.run(main)
