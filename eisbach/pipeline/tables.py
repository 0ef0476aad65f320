"""Tables as parquet for the stages and numbers as JSON for `dvc metrics`. Both are written completely or not at all."""

import json
from pathlib import Path

import pandas as pd

from eisbach.errors import UserError
from eisbach.pipeline.files import replacing


def write(path: str | Path, table: pd.DataFrame) -> None:
    """Write `table` without its index. Raises UserError when the disk is full or not writable."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def read(path: str | Path) -> pd.DataFrame:
    """Read a table that `write` wrote. Raises UserError when it is missing."""
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run `dvc repro`") from None


def write_metrics(path: str | Path, metrics: dict) -> None:
    """Write `metrics` as JSON, with NumPy and torch numbers as JSON numbers. Raises TypeError for any other type."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(metrics, indent=2, sort_keys=True, default=float) + "\n")
