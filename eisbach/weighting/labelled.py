"""Arms that read the contrast label of a clip: the positive controls for claims about flat and high-contrast music.

A label is the index of its class in `eisbach.data.contrast.CLASSES`: 0 flat, 1 middle, 2 contrast. Half the difference
between the two arms is the effect of a full curriculum.
"""

from dataclasses import dataclass

from torch import Tensor

from eisbach.weighting.protocol import precision
from eisbach.weighting.registry import weighting

HIGHEST = 2  # the label of the class contrast


@weighting("class", needs_label=True, per_sample=True)
@dataclass(frozen=True)
class ByClass:
    """Factor 2 for contrast, 1 for middle and 0 for flat clips: a curriculum that favours contrast entirely."""

    def __call__(
        self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, *, label: Tensor, **_
    ) -> Tensor:
        return _checked(label).to(precision(output))


@weighting("class_reversed", needs_label=True, per_sample=True)
@dataclass(frozen=True)
class ByClassReversed:
    """Factor 0 for contrast, 1 for middle and 2 for flat clips."""

    def __call__(
        self, output: Tensor, target: Tensor, t: Tensor, mask: Tensor | None = None, *, label: Tensor, **_
    ) -> Tensor:
        return (HIGHEST - _checked(label)).to(precision(output))


def _checked(label: Tensor) -> Tensor:
    if ((label < 0) | (label > HIGHEST)).any():
        raise ValueError(f"a contrast label must be 0 (flat), 1 (middle) or 2 (contrast); got {label.tolist()}")
    return label
