"""Vocabulary of the adapters' tests: adapters that are no longer untrained, and a model's velocity."""

import pytest
import torch

from eisbach.models.velocity import predict


@pytest.fixture
def clips(tiny_archive):
    return tiny_archive.rows(torch.arange(3))


@pytest.fixture
def perturb():
    """perturb(adapters, arm, seed=7, size=0.05): add noise to every trainable tensor of `arm`."""

    def change(adapters, arm, seed=7, size=0.05):
        with torch.no_grad():
            for parameter in adapters.parameters(arm).values():
                parameter.add_(size * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)))

    return change


@pytest.fixture
def velocity(clips):
    """velocity(model): the prediction for three clips at one draw of noise and three times."""
    x = torch.randn(clips.latents.shape, generator=torch.Generator().manual_seed(5))

    def of(model):
        return predict(model, x, torch.tensor([0.1, 0.5, 0.9]), clips)

    return of
