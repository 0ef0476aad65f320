import pytest
import torch

from eisbach.adapters.merged import merged
from eisbach.adapters.paired import PairedAdapters
from eisbach.models.velocity import predict


@pytest.fixture(params=["lora", "dora"])
def adapters(request, tiny_model):
    """Two arms whose tensors are all moved away from where they start."""
    adapters = PairedAdapters(tiny_model.model.model, ["one", "other"], request.param, 4, 8.0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for arm in adapters.arms:
            for parameter in adapters.parameters(arm).values():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return adapters


def velocity(model, clips):
    noisy, t = clips.latents, torch.full((len(clips),), 0.5)
    with torch.no_grad():
        return predict(model, noisy, t, clips)


def test_a_merged_arm_gives_the_outputs_of_the_adapted_one(adapters, tiny_model, tiny_archive):
    clips = tiny_archive.rows(torch.arange(3))
    for arm in adapters.arms:
        adapters.activate(arm)
        wanted = velocity(tiny_model, clips)
        with merged(adapters, arm):
            torch.testing.assert_close(velocity(tiny_model, clips), wanted, rtol=1e-4, atol=1e-5)


def test_afterwards_everything_is_as_it_was_bit_for_bit(adapters, tiny_model, tiny_archive):
    clips = tiny_archive.rows(torch.arange(3))
    adapters.activate("other")
    before = velocity(tiny_model, clips)
    with pytest.raises(RuntimeError, match="in the middle"), merged(adapters, "one"):
        raise RuntimeError("in the middle")
    assert torch.equal(velocity(tiny_model, clips), before)
