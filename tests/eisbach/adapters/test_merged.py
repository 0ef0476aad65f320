import pytest
import torch

from eisbach.adapters.merged import merged
from eisbach.adapters.paired import PairedAdapters


@pytest.fixture(params=["lora", "dora"])
def adapters(request, tiny_model, perturb):
    """Two arms that differ from each other and from their initial values in every tensor."""
    adapters = PairedAdapters(tiny_model.model.model, ["one", "other"], request.param, 4, 8.0)
    for seed, arm in enumerate(adapters.arms):
        perturb(adapters, arm, seed, 0.1)
    return adapters


def test_a_merged_arm_gives_the_outputs_of_the_adapted_one(adapters, tiny_model, velocity):
    outputs = []
    for arm in adapters.arms:
        adapters.activate(arm)
        outputs.append(velocity(tiny_model))
        with merged(adapters, arm):
            torch.testing.assert_close(velocity(tiny_model), outputs[-1], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(*outputs, atol=1e-2)


def test_a_merged_arm_runs_on_the_base_s_own_layers(adapters, tiny_model):
    with merged(adapters, "one"):
        for name, layer in adapters.layers.items():
            assert adapters.dit.get_submodule(name) is layer.base_layer


@pytest.mark.parametrize("failing", [False, True])
def test_afterwards_every_output_is_restored_bit_for_bit(adapters, tiny_model, velocity, failing):
    adapters.activate("other")
    before = velocity(tiny_model)
    try:
        with merged(adapters, "one"):
            if failing:
                raise RuntimeError("in the middle")
    except RuntimeError:
        assert failing
    assert torch.equal(velocity(tiny_model), before)
