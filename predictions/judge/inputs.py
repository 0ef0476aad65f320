"""What the judge reads beside tables of outcomes: the weights of the given model, and which metrics are invalid."""

from pathlib import Path

import pandas as pd

from eisbach.metrics import validity
from eisbach.pipeline import paths, tables
from predictions.judge.pieces import Grid, grid


def invalid() -> dict[str, str]:
    """Metric of music -> why it decides nothing: those that do not separate known groups of real clips."""
    return {name: facts["reason"] for name, facts in validity.load().items() if not facts["valid"]}


def grids(census: Path = paths.CENSUS, manifest: Path = paths.MANIFEST) -> dict[str, Grid]:
    """System -> the weights of its given model over clips of known pieces; empty where no census was made.

    Clips whose class was measured from their sound are no test of what the paper says of flat and contrast music.
    Raises UserError where a file is damaged or the two do not belong together.
    """
    if not (census.is_file() and manifest.is_file()):
        return {}
    table = tables.read(census)
    clips = pd.read_parquet(manifest, columns=["clip_id", "piece"]).set_index("clip_id")["piece"]
    if not (table["contrast_source"] == "arrangement").all():
        table = table.assign(contrast_class="unknown")
    try:
        return {str(table["regime"].iloc[0]): grid(table, clips)}
    except ValueError as error:
        raise paths.damaged(census, error) from error
