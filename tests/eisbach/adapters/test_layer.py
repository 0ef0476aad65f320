import pytest
import torch
from torch import nn

from eisbach.adapters.layer import PairedLayer
from eisbach.adapters.paired import PairedAdapters
from eisbach.pipeline.threads import thread_map


@pytest.mark.parametrize("convolution", [nn.Conv1d(4, 4, 3), nn.Conv1d(4, 4, 1, groups=2)])
def test_a_convolution_with_a_wide_kernel_or_groups_is_refused(convolution):
    with pytest.raises(ValueError, match="kernel 1 in one group"):
        PairedLayer(convolution, 1, 2, 1.0, magnitudes=True)


def test_the_base_layer_is_the_first_child():
    """The DiT reads its own dtype from its first parameter."""
    base = nn.Linear(3, 5)
    assert next(PairedLayer(base, 1, 2, 1.0, magnitudes=True).parameters()) is base.weight


def test_a_convolution_adapts_as_the_equal_linear_layer():
    linear, convolution = nn.Linear(3, 5), nn.Conv1d(3, 5, 1)
    convolution.weight.data, convolution.bias.data = linear.weight.data.unsqueeze(-1), linear.bias.data
    layers = [PairedLayer(base, 1, 2, 1.5, magnitudes=True) for base in (linear, convolution)]
    for layer in layers:
        generator = torch.Generator().manual_seed(0)
        for parameter in layer.tensors(0).values():
            parameter.data.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    x = torch.randn(2, 7, 3)
    torch.testing.assert_close(layers[1](x.mT).mT, layers[0](x))


@pytest.fixture
def two_arms(tiny_model, perturb):
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], "dora", 4, 4.0)
    perturb(adapters, "b")
    return adapters


@pytest.fixture
def wanted(two_arms, tiny_model, velocity):
    """The velocity of either arm, made in the main thread; "b" stays active."""
    found = {}
    for arm in ("a", "b"):
        two_arms.activate(arm)
        found[arm] = velocity(tiny_model).detach()
    assert not torch.allclose(found["a"], found["b"])
    return found


def test_each_thread_has_its_own_active_arms(two_arms, wanted, tiny_model, velocity):
    def made(arm):
        two_arms.activate(arm)
        return velocity(tiny_model).detach()

    arms = ["a", "b"] * 3
    for arm, got in zip(arms, thread_map(made, arms, 2), strict=True):
        torch.testing.assert_close(got, wanted[arm])


def test_a_thread_starts_with_the_arms_of_its_caller(wanted, tiny_model, velocity):
    for got in thread_map(lambda _: velocity(tiny_model).detach(), range(2), 2):
        torch.testing.assert_close(got, wanted["b"])
