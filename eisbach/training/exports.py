"""Adapters during training in Stable Audio 3's format, numbered by the steps done."""

from pathlib import Path

from eisbach.adapters import sa3_format
from eisbach.adapters.paired import PairedAdapters


def write(adapters: PairedAdapters, base: str, folder: Path, steps: int) -> None:
    """Write one file per arm to `folder`: `<arm>/<steps done>.safetensors`, with `step`, `base` and `arm` in its
    metadata. Each file is written completely or not at all.
    """
    for arm in adapters.arms:
        facts = {"step": str(steps), "base": base, "arm": arm}
        sa3_format.write(folder / arm / f"{steps:06d}.safetensors", adapters.adapter(arm), facts)
