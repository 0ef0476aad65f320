"""What stands beside a measure that can be fooled: a fall throughout, and which diversity is right."""

import numpy as np
import pytest
import torch

from eisbach.metrics import weights
from toy_models import measures
from toy_models.outcomes import gaps


@pytest.mark.parametrize(
    ("curve", "share"),
    [([5, 4, 3, 1], 0.0), ([1, 2, 3], 1.0), ([4, 1, 2], 1 / 3), ([2, 1, 2], 1.0), ([3, 1, 2, 1], 0.5), ([2, 2], 1.0)],
)
def test_a_curve_falls_throughout_or_rises_by_a_share_of_its_range(curve, share):
    found = measures.rise_share(torch.tensor([curve], dtype=torch.float64))
    assert found.item() == pytest.approx(share)
    assert weights.rise_share(np.array(curve, float)) == pytest.approx(share)  # one definition, on both kinds of model


def test_a_rank_correlation_does_not_see_the_turn_that_the_rise_sees():
    """The plane's laws: w falls over most of t and rises at its end."""
    curve = torch.tensor([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.4, 0.6]], dtype=torch.float64)
    assert measures.rank_correlation(curve, torch.arange(10.0).expand(1, -1)) < -0.6
    assert measures.rise_share(curve) > 0.5


def test_a_gap_is_the_distance_to_the_same_seed_s_truth():
    found = {"vendi": torch.tensor([1.0, 5.0, 3.0, 3.0]), "other": torch.zeros(4)}  # two arms of two seeds
    assert gaps(found, {"vendi": torch.tensor([2.0, 4.0])})["gap/vendi"].tolist() == [1, 1, 1, 1]
    assert set(gaps(found, {"vendi": torch.tensor([2.0, 4.0])})) == {"gap/vendi"}
