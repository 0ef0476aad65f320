"""The schedules of the learning rate in params.yaml; `eisbach.training.schedule` computes them."""

from typing import Annotated, Literal

from pydantic import Field

from eisbach.pipeline.section import section


@section
class Constant:
    """The learning rate stays `lr`."""

    kind: Literal["constant"]


@section
class Cosine:
    """Half a cosine from `lr` down to 0 at the last step."""

    kind: Literal["cosine"]


@section
class InverseLR:
    """Stability's InverseLR: (1 - warmup^(step + 1)) max(final_lr, lr (1 + step / inv_gamma)^-power)."""

    kind: Literal["inverse_lr"]
    inv_gamma: Annotated[float, Field(gt=0)]
    power: float
    warmup: Annotated[float, Field(ge=0, lt=1)]
    final_lr: float
