"""Tables as parquet for the stages and numbers as JSON for `dvc metrics`, written completely or not at all."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from pyarrow import ArrowException

from eisbach.pipeline import paths
from eisbach.pipeline.files import replacing

if TYPE_CHECKING:
    from torch import Tensor


def write(path: str | Path, table: pd.DataFrame) -> None:
    """Write `table` without its index. Raises UserError when the disk is full or not writable."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def read(path: str | Path) -> pd.DataFrame:
    """Read a table that `write` wrote. Raises UserError when it is missing or damaged."""
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise paths.missing(path) from None
    except (ArrowException, OSError) as error:
        raise paths.damaged(path, error) from error


def read_tensors(path: str | Path) -> dict[str, "Tensor"]:
    """The tensors of a safetensors file that a stage wrote. Raises UserError when it is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise paths.missing(path) from None
    except (SafetensorError, OSError) as error:
        raise paths.damaged(path, error) from error


def write_metrics(path: str | Path, metrics: dict) -> None:
    """Write `metrics` as JSON, with NumPy and torch numbers as JSON numbers. Raises TypeError for any other type."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(metrics, indent=2, sort_keys=True, default=float) + "\n")
