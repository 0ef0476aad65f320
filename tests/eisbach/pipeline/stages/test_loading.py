"""The model and the file of weights that params.model names."""

import shutil
from dataclasses import replace

import pytest
import torch

from eisbach.errors import UserError
from eisbach.models import hub, small
from eisbach.pipeline.stages import loading
from tests.settings import PARAMS


def named(source=str(small.BASE), **model):
    return replace(PARAMS, model=replace(PARAMS.model, source=source, **model))


def test_the_source_is_loaded_not_the_shipped_base(tmp_path):
    other = small.load()
    with torch.no_grad():
        other.model.model.transformer.project_in.weight.mul_(2)
    small.save(other, tmp_path / hub.WEIGHTS)
    shutil.copy(small.BASE / hub.CONFIG, tmp_path)
    params = named(source=str(tmp_path))
    loaded, shipped = loading.base(params).state_dict(), loading.base(PARAMS).state_dict()
    different = [name for name, tensor in shipped.items() if not torch.equal(loaded[name], tensor)]
    assert different == ["model.model.transformer.project_in.weight"]
    assert loading.weights(params) == tmp_path / hub.WEIGHTS
    assert loading.weights(PARAMS) == small.BASE / hub.WEIGHTS


def test_the_hash_of_a_small_model_is_checked():
    right = hub.sha256(small.BASE / hub.WEIGHTS)
    loading.base(named(sha256=right))
    other = "0" * 64
    with pytest.raises(UserError, match=f"has SHA-256 {right}, not {other}; fetch it again"):
        loading.base(named(sha256=other))
