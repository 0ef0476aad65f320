"""Which model params.model names, and that it is the one that is asked for."""

import pytest
import torch

from eisbach.errors import UserError
from eisbach.models import hub, small
from eisbach.pipeline.params import Model, Params
from eisbach.pipeline.stages import loading


def test_a_model_like_the_small_one_is_checked_by_its_hash_too():
    right = hub.sha256(small.BASE / hub.WEIGHTS)
    model = loading.base(Params(model=Model(source=str(small.BASE), sha256=right)))
    shipped = loading.base(Params())
    assert all(torch.equal(tensor, shipped.state_dict()[name]) for name, tensor in model.state_dict().items())
    with pytest.raises(UserError, match=f"has the SHA-256 {right}, and 00 is asked for"):
        loading.base(Params(model=Model(source=str(small.BASE), sha256="00")))
