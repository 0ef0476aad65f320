"""The arms that read the contrast label."""

import pytest
import torch

from eisbach.weighting import (
    make,
)
from tests.eisbach.weighting.ready import BATCH, LABEL


def test_the_class_arms_give_0_1_2_by_the_label_and_their_mean_is_the_baseline(batch):
    forth, back = (make(name)(*batch[:4], label=LABEL) for name in ("class", "class_reversed"))
    assert forth.tolist() == LABEL.tolist()
    assert ((forth + back) / 2 == make("baseline")(*batch[:4])).all()


@pytest.mark.parametrize("name", ["class", "class_reversed"])
@pytest.mark.parametrize("label", [-1, 3])
def test_a_class_arm_refuses_a_label_that_is_no_class(name, label, batch):
    with pytest.raises(ValueError, match=r"^a contrast label must be 0 \(flat\), 1 \(middle\) or 2 \(contrast\); got"):
        make(name)(*batch[:4], label=torch.full((BATCH,), label))
