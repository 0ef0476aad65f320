"""`python -m benchmarks.calibration`: measure how often the judge's words are false or right where the truth is known.

Writes benchmarks/calibration/results.json and docs/calibration.md.
"""

from pathlib import Path

from eisbach.pipeline import command

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path("docs/calibration.md")


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument("--families", type=int, default=1000, help="of twelve atoms, by number of seeds and shape")
    parser.add_argument("--worlds", type=int, default=40, help="whole experiments, by world and shape")
    arguments = parser.parse_args()

    from benchmarks.calibration import cells, page, plant, worlds
    from eisbach.pipeline.files import replacing
    from eisbach.pipeline.progress import track
    from eisbach.pipeline.tables import write_metrics

    done: dict = {
        "families": arguments.families,
        "experiments": arguments.worlds,
        "words": {},
        "seeds": {},
        "worlds": {},
    }
    grid = [(shape, n) for shape in (*plant.SHAPES, plant.ALONE) for n in cells.SEEDS]
    for shape, n in track(grid, "words", len(grid)):
        done["words"][f"{n} {shape}"] = cells.rates(shape, n, arguments.families)
    for shape in track(plant.SHAPES, "seeds", len(plant.SHAPES)):
        done["seeds"][shape] = cells.seeds_to_see(shape, arguments.families)
    grid = [(world, shape) for world in worlds.WORLDS for shape in plant.SHAPES]
    for world, shape in track(grid, "worlds", len(grid)):
        done["worlds"][f"{world}; {shape}"] = worlds.rates(world, shape, arguments.worlds)
        write_metrics(RESULTS, done)
    with replacing(PAGE) as temporary:
        temporary.write_text(page.render(done))


if __name__ == "__main__":
    command.run(main)
