"""Eq. 5 and the arms that rearrange, replace or differentiate its weights."""

import numpy as np
import pytest
import torch

from eisbach.barrier import barrier_factor
from eisbach.seeds import torch_generator
from eisbach.weighting import (
    make,
    reverse_ranks,
)
from tests.eisbach.weighting.ready import BATCH


def test_a_reduction_is_checked_when_the_arm_is_made():
    for name in ("barrier", "attached"):
        with pytest.raises(ValueError, match=r"^reduction must be 'sample' or 'batch'; got 'mean'$"):
            make(name, reduction="mean")


@pytest.mark.parametrize("name", ["barrier", "inverse", "oracle"])
def test_factors_of_many_batches_are_those_of_each(name):
    weight = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    arm = make(name, lam=0.7)
    together = arm.factors(weight)
    for index in np.ndindex(3, 4):
        assert torch.equal(together[index], arm.factors(weight[index]))


def test_baseline_is_one(batch):
    assert torch.equal(make("baseline")(*batch[:4]), torch.ones(BATCH))


def test_barrier_is_equation_five(batch):
    output, target, t, mask, _ = batch
    for reduction in ("sample", "batch"):
        arm = make("barrier", lam=0.3, reduction=reduction)
        assert torch.equal(arm(output, target, t, mask), barrier_factor(output, 0.3, mask, reduction=reduction))
    assert make("barrier").reduction == "sample"


def test_attached_has_the_barriers_value_and_a_gradient(batch):
    output, target, t, mask, _ = batch
    output.requires_grad_()
    for reduction in ("sample", "batch"):
        factor = make("attached", lam=0.3, reduction=reduction)(output, target, t, mask)
        expected = barrier_factor(output, 0.3, mask, reduction=reduction, detach=False)
        assert torch.equal(factor, expected)
        gradients = [torch.autograd.grad(values[0], output)[0] for values in (factor, expected)]
        assert torch.equal(*gradients)
        assert gradients[0].abs().sum() > 0


def test_shuffled_depends_on_seed_and_step_only(batch):
    output, target, t, mask, _ = batch

    def factor(seed, step):
        torch.rand(3)  # the global generator plays no part
        return make("shuffled", seed=seed)(output, target, t, mask, step=step)

    assert torch.equal(factor(0, 4), factor(0, 4))
    assert len({tuple(factor(0, step).tolist()) for step in range(20)}) > 15
    assert len({tuple(factor(seed, 4).tolist()) for seed in range(20)}) > 15
    assert torch.equal(make("shuffled")(output, target, t, mask, step=4), factor(0, 4))
    order = torch.randperm(BATCH, generator=torch_generator(2, "shuffled", 4))
    assert torch.equal(factor(2, 4), barrier_factor(output, 0.5, mask)[order])


def test_shuffled_gives_every_sample_every_factor_equally_often(batch):
    output, target, t, mask, _ = batch
    arm, original = make("shuffled"), barrier_factor(batch[0], 0.5, batch[3])
    draws = torch.stack([arm(output, target, t, mask, step=step) for step in range(3000)])
    share = (draws[..., None] == original).double().mean(0)
    torch.testing.assert_close(share, torch.full_like(share, 1 / BATCH), rtol=0, atol=0.04)  # 5.9 standard errors


def test_inverse_reverses_the_ranks():
    assert reverse_ranks(torch.tensor([0.2, 0.9, 0.5, 0.1])).tolist() == pytest.approx([0.5, 0.1, 0.2, 0.9])
    assert reverse_ranks(torch.tensor([[1.0, 2.0], [4.0, 3.0]])).tolist() == [[2.0, 1.0], [3.0, 4.0]]
    ties = torch.tensor([0.5] * 400 + [0.9, 1.0])
    assert reverse_ranks(ties).tolist() == torch.tensor([1.0, 0.9] + [0.5] * 400).tolist()


def test_inverse_is_the_barriers_factors_reversed(batch):
    output, target, t, mask, _ = batch
    factor = make("inverse", lam=0.8)(output, target, t, mask)
    assert torch.equal(factor, reverse_ranks(barrier_factor(output, 0.8, mask)))


def test_oracle_reads_the_clean_sample_only(batch):
    output, target, t, mask, clean = batch
    factor = make("oracle", lam=0.8)(output, target, t, mask, clean=clean)
    assert torch.equal(factor, barrier_factor(clean, 0.8, mask))
    with pytest.raises(TypeError, match="clean"):
        make("oracle")(output, target, t, mask)


@pytest.mark.parametrize("name", ["shuffled", "trace"])
def test_an_arm_that_needs_the_step_refuses_a_call_without_it(name, batch):
    with pytest.raises(TypeError, match="step"):
        make(name)(*batch[:4])
