"""Which model params.model names, and the check of its hash."""

from dataclasses import replace

import pytest
import torch

from eisbach.errors import UserError
from eisbach.models import hub, small
from eisbach.pipeline.stages import loading
from tests.settings import PARAMS


def named(**model):
    return replace(PARAMS, model=replace(PARAMS.model, source=str(small.BASE), **model))


def test_a_folder_with_a_small_model_is_loaded_as_the_shipped_one():
    model, shipped = loading.base(named()), loading.base(PARAMS)
    assert all(torch.equal(tensor, shipped.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_a_small_model_is_checked_by_its_hash():
    right = hub.sha256(small.BASE / hub.WEIGHTS)
    loading.base(named(sha256=right))
    with pytest.raises(UserError, match=f"has the SHA-256 {right}, and 00 is asked for"):
        loading.base(named(sha256="00"))
