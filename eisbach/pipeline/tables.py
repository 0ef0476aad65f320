"""Tidy tables: parquet for stages, JSON for `dvc metrics`; both written whole or not at all."""

import json
from pathlib import Path

import pandas as pd

from eisbach.errors import UserError
from eisbach.files import replacing


def write(path: str | Path, table: pd.DataFrame) -> None:
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def read(path: str | Path) -> pd.DataFrame:
    """Raises UserError when the table is missing."""
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run `dvc repro`") from None


def write_metrics(path: str | Path, metrics: dict) -> None:
    """Numbers of any library's type become JSON's. Raises TypeError for what is no number, string, list or dict."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(metrics, indent=2, sort_keys=True, default=float) + "\n")
