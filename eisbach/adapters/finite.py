"""The one check of an adapter's values, for every reader of a stored adapter."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from eisbach.errors import UserError


def check_finite(tensors: Mapping[str, Tensor], source: str | Path) -> None:
    """Raises UserError naming the file `source` and the first tensor that holds NaN or infinity."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise UserError(
                f"{source} holds values that are not finite, in '{name}': its training diverged; remove the file, or "
                "train it again with a lower learning rate"
            )
