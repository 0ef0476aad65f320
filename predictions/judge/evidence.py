"""Evidence: from one number per seed to p values, for each kind of hypothesis. `words` turns it into labels.

Everything is in the metric's own units. `sign` is +1 where the claim says "higher" and -1 where it says "lower".
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from predictions.judge import statistics


@dataclass(frozen=True)
class Evidence:
    """Two tests of a mean over n seeds: one for the claim, one against it."""

    values: np.ndarray  # [n], differences, or a quantity that is compared with a bound
    center: float  # what the mean is compared with: 0 for differences, otherwise the bound
    margin: float  # an effect counts only beyond it
    p: float  # of the claim's own test
    p_against: float | None  # of the test that would refute it by equivalence or by an effect beyond the margin
    shape_p: float | None = None  # of a trend: that it is monotone
    insensitive: str | None = None  # why an absence says nothing here; the test that would show it then counts as p = 1
    absence: Literal["p", "p_against"] = "p_against"  # which test that is: an equivalence claims an absence

    @property
    def counted(self) -> tuple[float, float | None]:
        """p and p_against as Holm's correction may count them."""
        p, against = self.p, self.p_against
        if self.insensitive is None:
            return p, against
        return (1.0, against) if self.absence == "p" else (p, 1.0)

    @cached_property
    def effect(self) -> float:
        return float(self.values.mean())

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 %, the interval that belongs to the sign-flip test; infinite where n seeds cannot bound it."""
        low, high = statistics.sign_flip_interval(self.values)
        return float(low), float(high)


def effect(values: np.ndarray, margin: float, center: float = 0.0) -> Evidence:
    """Two-sided sign-flip test of `values` `[n]` about the center; against it, equivalence within a margin > 0."""
    against = float(statistics.tost_p(values - center, margin)) if margin > 0 else None
    return Evidence(values, center, margin, float(statistics.sign_flip_p(values, center)), against)


def trend(levels: np.ndarray, values: np.ndarray, margin: float, seed: int) -> Evidence:
    """`values` `[n, L]` over `levels` `[L]`: the change along each seed's line, and whether the means are monotone.

    Both must hold, so p is the larger of the two (intersection-union test). The shape is tested in the direction of the
    mean change, which the data chose, so its p is doubled. `seed` is that of the permutation test.
    """
    change = effect(statistics.trend_change(levels, values), margin)
    direction = 1 if change.effect >= 0 else -1
    shape = min(1.0, 2 * statistics.isotonic_p(direction * values, seed))
    return Evidence(change.values, 0.0, margin, max(change.p, shape), change.p_against, shape)


def equivalence(values: np.ndarray, margin: float) -> Evidence:
    """TOST within the margin; against it, a mean beyond the margin on either side (Bonferroni over the two sides)."""
    beyond = min(
        float(statistics.sign_flip_p(values, margin, "greater")), float(statistics.sign_flip_p(values, -margin, "less"))
    )
    return Evidence(values, 0.0, margin, float(statistics.tost_p(values, margin)), min(1.0, 2 * beyond), absence="p")


def noninferiority(values: np.ndarray, margin: float, sign: int) -> Evidence:
    """Not worse by more than the margin, one-sided; against it, worse by more than the margin."""
    oriented = sign * values
    against = float(statistics.sign_flip_p(oriented, -margin, "less"))
    p = float(statistics.noninferiority_p(oriented, margin))
    return Evidence(values, 0.0, margin, p, against, absence="p")
