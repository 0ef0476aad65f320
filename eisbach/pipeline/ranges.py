"""The types of settings with their ranges. A bound is what the code can compute with; none is a recommendation."""

from collections.abc import Hashable
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

Item = TypeVar("Item", bound=Hashable)


def unique(values: list[Item]) -> list[Item]:
    """`values` themselves. Raises ValueError naming the first duplicate."""
    if twice := [value for index, value in enumerate(values) if value in values[:index]]:
        raise ValueError(f"{twice[0]!r} stands there twice; name it once")
    return values


def _three_shares(values: tuple[float, float, float]) -> tuple[float, float, float]:
    if abs(sum(values) - 1) > 1e-6:
        raise ValueError(f"the shares sum to {sum(values):g}; they must sum to 1")
    return values


Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
CountOrNone = Annotated[int, Field(ge=0, le=1_000_000_000)]  # 0: never, all or none, as the setting says
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]  # the tables keep seeds as 64-bit integers
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)]
Share = Annotated[float, Field(ge=0, le=1)]
InnerShare = Annotated[float, Field(gt=0, lt=1)]
Shares = Annotated[tuple[Share, Share, Share], AfterValidator(_three_shares)]
Rate = Annotated[float, Field(ge=0, le=1)]  # of AdamW, whose step is about as large as the rate
Beta = Annotated[float, Field(ge=0, lt=1)]
Lambda = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=0, le=1_000_000)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Rank = Annotated[int, Field(ge=1, le=4096)]
PerTenth = Annotated[int, Field(ge=1, le=1000)]
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=4000)]  # of one line, without control characters
Path = Annotated[Text, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$", max_length=60)]  # part of file names
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
Device = Annotated[str, Field(pattern=r"^(cpu|mps|cuda(:[0-9]{1,3})?)$")]
Regime = Literal[  # the keys of toy_models.regimes, which imports torch
    "analytic",
    "densities/eight_gaussians",
    "densities/two_moons",
    "densities/checkerboard",
    "densities/spirals",
    "trajectories/c2",
    "trajectories/c32",
    "trajectories/dit",
]
