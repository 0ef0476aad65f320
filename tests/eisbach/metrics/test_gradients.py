from dataclasses import replace

import pytest
import torch

from eisbach.adapters.paired import PairedAdapters
from eisbach.metrics import gradients
from tests.settings import PARAMS

SETTINGS = replace(PARAMS.finetune, rank=2, alpha=2.0, batch=3)


@pytest.fixture
def adapters(tiny_model):
    found = PairedAdapters(tiny_model.model.model, ["barrier"], "dora", SETTINGS.rank, SETTINGS.alpha, 0)
    with torch.no_grad():
        for index, parameter in enumerate(found.parameters("barrier").values()):
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(index)))
    return found


def test_the_barrier_changes_the_direction_of_a_batch_s_gradient_and_not_of_one_sample_s(
    tiny_model, adapters, tiny_archive
):
    found = gradients.cosines(tiny_model, adapters, "barrier", tiny_archive, SETTINGS, 1.0, seed=0)
    assert found["gradient_cosine/sample"] == pytest.approx(1, abs=1e-6)
    assert found["gradient_cosine/batch"] < 1 - 1e-4


def test_no_gradients_are_left_in_the_parameters(tiny_model, adapters, tiny_archive):
    gradients.cosines(tiny_model, adapters, "barrier", tiny_archive, SETTINGS, 1.0, seed=0)
    assert not any(parameter.grad is not None for parameter in adapters.parameters("barrier").values())


def test_with_lambda_zero_a_batch_s_gradient_keeps_its_direction(tiny_model, adapters, tiny_archive):
    found = gradients.cosines(tiny_model, adapters, "barrier", tiny_archive, SETTINGS, 0.0, seed=0)
    assert found["gradient_cosine/batch"] == pytest.approx(1, abs=1e-6)
