"""What a weighting is: one signature, and the traits that tell a training loop how to serve it.

    factor = weighting(output, target, t, mask, belief=belief, clean=clean, label=label, step=step)
                                                                                    [B], float32 or better

`output`, `target` `[B, C, *positions]`: the model's velocity, with its graph, and noise - data. `t` `[B]`: the time,
1 is pure noise. `mask` `[B, *positions]`, boolean, true where valid, or None. `belief`: Eq. 2 to 4 of the detached
`output` (`eisbach.barrier.belief`), computed once a step by the caller; a weighting computes it where it is None.
`clean`: the clean sample, shaped like `output`. Target and noised input determine it; it is an argument so that the
signature shows which arm reads the data: the minimiser of such an arm's loss is no longer E[v | x_t]. `label` `[B]`,
integers: the contrast class of each clip, 0 flat, 1 middle, 2 contrast (`eisbach.data.contrast.CLASSES`). `step` counts
calls from 0, one per micro-batch where gradients are accumulated.

The factor carries no gradient, except in `attached` (to the model) and `edm2` (to its own parameters).
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from eisbach.barrier import Belief


@dataclass(frozen=True)
class Traits:
    """What a weighting needs from its caller beyond a call; declared when its class is registered.

    - `needs_clean`: it reads `clean`.
    - `needs_label`: it reads `label`.
    - `replays`: it repeats another arm's factors (`Replaying`). "step": of the same step, after that arm has been
      called; "run": of a calibration before training, frozen by the first call.
    - `has_penalty`: `objective` adds its `penalty(t)` to each sample's loss (`Penalised`).
    - `draws`: it has a setting `seed` and draws random numbers.
    - `per_sample`: a sample's factor depends on that sample alone, so that batches may be joined.
    - `has_state`: it has `state_dict` and `load_state_dict`, flat dictionaries of tensors.
    """

    needs_clean: bool = False
    needs_label: bool = False
    replays: Literal["", "step", "run"] = ""
    has_penalty: bool = False
    draws: bool = False
    per_sample: bool = False
    has_state: bool = False


class Weighting(Protocol):
    """A factor for each sample's loss; the module's docstring gives the shapes."""

    def __call__(
        self,
        output: Tensor,
        target: Tensor,
        t: Tensor,
        mask: Tensor | None = None,
        *,
        belief: Belief | None = None,
        clean: Tensor | None = None,
        label: Tensor | None = None,
        step: int = 0,
    ) -> Tensor: ...


class Replaying(Weighting, Protocol):
    """A weighting with the trait `replays`.

    It is calibrated on the factors of the arm that it follows and knows nothing else about that arm. The factors come
    from the same run, or from an earlier one through `state_dict` and `load_state_dict`.
    """

    def calibrate(self, factor: Tensor, t: Tensor, step: int) -> None: ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state: dict[str, Tensor]) -> None: ...


class Penalised(Weighting, Protocol):
    """A weighting with the trait `has_penalty`."""

    def penalty(self, t: Tensor) -> Tensor: ...


def traits_of(weighting: object) -> Traits:
    """The traits that the class of `weighting` was registered with; none for a callable that was never registered."""
    return getattr(weighting, "traits", Traits())


def precision(output: Tensor) -> torch.dtype:
    """The dtype of factors for `output`: float32, or float64 for a float64 output."""
    return torch.promote_types(output.dtype, torch.float32)
