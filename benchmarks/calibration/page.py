"""docs/calibration.md, rendered from the results."""

from benchmarks.calibration import cells, plant, worlds

HEAD = """# Calibration of the judge

How often the judge's words are false, and how often they are right, where the truth is planted. Written by
`python -m benchmarks.calibration`; do not edit.

Truths and spreads are in margins d. The spread is the standard deviation of the seeds' paired differences. Arms are
normal, heavy-tailed (Student's t, 3 degrees of freedom) or skewed (log-normal); a paired difference of two skewed arms
is symmetric. *Skewed alone* is x itself log-normal, as in a bound on one arm or an effect that varies from seed to
seed: no test by sign flips is exact there. Every interval is at the level of a family of {family} atoms,
1 - {level} / {family}.

## False words

Share of {families} families of {family} atoms with the same truth in which any word is false: *holds* at or below d,
*present* at or below 0, *absent* at d or beyond, *opposite* at 0 or above, "below d" at d or beyond. The largest over
spreads of {spreads} d. At most 0.05 is wanted; two standard errors are {error:.3f}.

| seeds | shape | {truths} |
| --- | --- | {rules} |
"""
WORDS = """
## Right words

Share of single atoms with the right word: *absent* at 0, *present* at d/2, *holds* at 2d, *opposite* at -d. At a truth
of exactly d no word can be right so often. At least 0.9 is wanted at 24 seeds and a spread of at most d/2.

| seeds | shape | spread | absent at 0 | present at d/2 | holds at 2d | opposite at -d |
| --- | --- | --- | --- | --- | --- | --- |
"""
SEE = """
## Seeds to see half a margin

The least number of seeds, of {tried}, with which an effect of d/2 is *present* in
nine of ten experiments.

| shape | {spreads} |
| --- | {rules} |
"""
WORLDS = """
## Planted worlds

The whole judge on tables of outcomes: gate, registered family, margin, positive control, mechanism. {seeds} seeds,
spread d/2, a full curriculum of 4 d. Share of {experiments} experiments with the right word, and with the right word
and mechanism. At least 0.9 is wanted.

Two requirements are not met. Where x itself is skewed, false words come in a third to a half of families at the level
of twelve atoms: sign flips assume symmetry, and a few draws of a log-normal rarely hold its tail. Words about one
arm's own number over seeds (bounds, intersections) are only as good as the symmetry of that number; bounds over pieces
use a bootstrap. And *sample-specific* for an effect of d/2 needs four intervals above 0 at once, each of which is there
in about 0.93 of experiments.

| world | right word and mechanism | {shapes} |
| --- | --- | {rules} |
"""
ALL = (*plant.SHAPES, plant.ALONE)


def render(results: dict) -> str:
    """The page for the results that `__main__` writes."""
    spreads = ", ".join(f"{spread:g}" for spread in cells.SPREADS)
    parts = [
        HEAD.format(
            family=cells.FAMILY,
            level=cells.LEVEL,
            families=results["families"],
            spreads=spreads,
            error=2 * (0.05 * 0.95 / results["families"]) ** 0.5,
            truths=" | ".join(f"truth {_d(truth)}" for truth in cells.TRUTHS),
            rules=_rules(cells.TRUTHS),
        ),
        *(_row(n, shape, *_worst(results, n, shape)) for shape in ALL for n in cells.SEEDS),
        WORDS,
        *(
            _row(n, shape, f"{spread:g} d", *_right(results, n, shape, spread))
            for shape in plant.SHAPES
            for n in cells.SEEDS
            for spread in cells.SPREADS
        ),
        SEE.format(
            tried=", ".join(map(str, cells.TRIED)),
            spreads=" | ".join(f"spread {spread:g} d" for spread in cells.SPREADS),
            rules=_rules(cells.SPREADS),
        ),
        *(
            _row(shape, *(one or f"more than {max(cells.TRIED)}" for one in _seeds(results, shape)))
            for shape in plant.SHAPES
        ),
        WORLDS.format(
            seeds=worlds.SEEDS,
            experiments=results["experiments"],
            shapes=" | ".join(f"{shape}: word | both" for shape in plant.SHAPES),
            rules=_rules(2 * plant.SHAPES),
        ),
        *(_world(results, world) for world in worlds.WORLDS),
    ]
    return "\n".join(part.removesuffix("\n") for part in parts) + "\n"


def _d(truth: float) -> str:
    return {0.0: "0", 0.5: "d/2", 1.0: "d", -1.0: "-d"}.get(truth, f"{truth:g}d")


def _worst(results: dict, n: int, shape: str) -> list[str]:
    found = results["words"][f"{n} {shape}"]
    return [
        f"{max(found[f'{truth:g}, {spread:g}']['false'] for spread in cells.SPREADS):.3f}" for truth in cells.TRUTHS
    ]


def _right(results: dict, n: int, shape: str, spread: float) -> list[str]:
    found = results["words"][f"{n} {shape}"]
    return [f"{found[f'{truth:g}, {spread:g}'].get(word, 0.0):.3f}" for truth, word in cells.WORD.items()]


def _seeds(results: dict, shape: str) -> list[int | None]:
    return [results["seeds"][shape][f"{spread:g}"] for spread in cells.SPREADS]


def _world(results: dict, world: str) -> str:
    wanted = " ".join(filter(None, worlds.WORLDS[world][2]))
    found = [results["worlds"][f"{world}; {shape}"] for shape in plant.SHAPES]
    return _row(world, wanted, *(f"{one[key]:.2f}" for one in found for key in ("word", "right")))


def _rules(columns: tuple) -> str:
    return " | ".join(["---"] * len(columns))


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
