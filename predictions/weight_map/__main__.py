"""Stage `weight_map`: the map of what the weight can do, its limits, the data sets on it, and the census against it."""

from eisbach.pipeline import command


def main() -> None:
    import pandas as pd

    from eisbach.data import latents
    from eisbach.pipeline import paths, tables
    from eisbach.pipeline.params import load
    from predictions.weight_map import by_t, grid, limits, marks, medium

    settings = load()
    seed, draws = settings.weight_map.seed, settings.weight_map.draws
    lam, powers = settings.census.lam, settings.census.powers
    archive = latents.load(paths.ARCHIVE)
    census, flattened = tables.read(paths.CENSUS), tables.read(paths.FLATTENED)
    against = by_t.table(archive.split("heldout"), census, flattened, lam, seed)
    made = {
        "cells": grid.table(seed, draws),
        "limits": limits.table(seed, draws),
        "marks": marks.table(archive, powers, lam, seed, draws),
        "by_t": against,
        "medium": pd.concat([medium.band(clip, against, seed, draws) for clip in medium.SHAPES], ignore_index=True),
    }
    for name, table in made.items():
        tables.write(paths.WEIGHT_MAP / f"{name}.parquet", table)


if __name__ == "__main__":
    command.stage(main)
