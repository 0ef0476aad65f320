"""The arms: what each returns, what it refuses, and that its state survives a file."""

import inspect
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from eisbach import weighting as arms
from eisbach.barrier import barrier_factor, belief
from eisbach.seeds import torch_generator
from eisbach.weighting import (
    Traits,
    make,
    names,
    peers,
    registry,
    replaying,
    reverse_ranks,
    traits_of,
    weighting,
)

BATCH = 6
LABEL = torch.tensor([2, 0, 1, 1, 0, 2])
LAM_ARMS = ("barrier", "attached", "shuffled", "inverse", "oracle")


@pytest.fixture
def batch():
    """output, target, t, mask with one padded sample, and a clean sample of another contrast."""
    draw = torch.Generator().manual_seed(0)
    loudness = torch.linspace(0.2, 3, BATCH)[torch.tensor([3, 0, 5, 1, 4, 2]), None, None]
    output, target, clean = (torch.randn(BATCH, 4, 8, generator=draw) for _ in range(3))
    mask = torch.ones(BATCH, 8, dtype=torch.bool)
    mask[1, 5:] = False
    return output * loudness, target, torch.rand(BATCH, generator=draw), mask, clean


def ready(name: str, batch, **settings):
    """The arm, calibrated on the barrier's factors of this batch if it needs them."""
    output, target, t, mask, _ = batch
    arm = make(name, **settings)
    if traits_of(arm).replays:
        arm.calibrate(make("barrier")(output, target, t, mask), t, 0)
    return arm


# All arms alike


def test_the_arms_of_the_table_are_registered():
    assert names() == [
        *("baseline", "barrier", "attached", "shuffled", "inverse", "oracle"),
        *("class", "class_reversed", "trace", "timestep", "constant", "min_snr", "logit_normal", "edm2"),
    ]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(
    ("dtype", "expected"), [("bfloat16", "float32"), ("float32", "float32"), ("float64", "float64")]
)
def test_every_arm_gives_one_finite_factor_a_sample_in_float32_or_better(name, dtype, expected, batch):
    output, target, t, mask, clean = batch
    output, clean = output.to(getattr(torch, dtype)), clean.to(getattr(torch, dtype))
    factor = ready(name, batch)(output, target, t, mask, clean=clean, label=LABEL, step=0)
    assert factor.shape == (BATCH,)
    assert factor.isfinite().all()
    assert name == "edm2" or factor.dtype == getattr(torch, expected)


@pytest.mark.parametrize("name", names())
def test_only_attached_sends_a_gradient_into_the_output(name, batch):
    output, target, t, mask, clean = batch
    output.requires_grad_()
    factor = ready(name, batch)(output, target, t, mask, clean=clean, label=LABEL, step=0)
    assert factor.requires_grad == (name in ("attached", "edm2"))
    if factor.requires_grad:
        (gradient,) = torch.autograd.grad(factor.sum(), output, allow_unused=True)
        assert (gradient is not None) == (name == "attached")


@pytest.mark.parametrize("name", LAM_ARMS)
@pytest.mark.parametrize("lam", [-0.5, 1.5])
def test_lam_is_checked_when_the_arm_is_made(name, lam):
    with pytest.raises(ValueError, match=r"lam must lie in \[0, 1\]"):
        make(name, lam=lam)


@pytest.mark.parametrize("name", LAM_ARMS)
def test_lam_is_a_half_unless_given(name, batch):
    output, target, t, mask, clean = batch
    given, default = make(name, lam=0.5), make(name)
    assert given == default
    full = make(name, lam=1.0)(output, target, t, mask, clean=clean, label=LABEL, step=0)
    half = default(output, target, t, mask, clean=clean, label=LABEL, step=0)
    torch.testing.assert_close(half, 0.5 + 0.5 * full)


# The registry


def test_a_reduction_is_checked_when_the_arm_is_made():
    for name in ("barrier", "attached"):
        with pytest.raises(ValueError, match=r"^reduction must be 'sample' or 'batch'; got 'mean'$"):
            make(name, reduction="mean")


@pytest.mark.parametrize("name", names())
def test_autocast_changes_no_bit_of_any_factor(name, batch):
    output, target, t, mask, clean = batch
    arm = ready(name, batch)
    if name == "edm2":
        torch.nn.init.normal_(arm.head.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    expected = arm(output, target, t, mask, clean=clean, label=LABEL, step=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        factor = arm(output, target, t, mask, clean=clean, label=LABEL, step=0)
    assert factor.dtype == torch.float32
    assert torch.equal(factor, expected)


@pytest.mark.parametrize("name", names())
def test_an_empty_batch_gives_an_empty_factor(name, batch):
    empty = torch.empty(0, 4, 8)
    factor = ready(name, batch)(empty, empty, torch.empty(0), None, clean=empty, label=LABEL[:0], step=0)
    assert factor.shape == (0,)


@pytest.mark.parametrize("name", ["timestep", "constant", "logit_normal"])
def test_without_float64_an_arm_gives_the_same_to_float32s_digits(name, batch, monkeypatch):
    """A device that has none refuses to make such a tensor, so the arms ask what there is."""
    arm = ready(name, batch)
    expected = arm(*batch[:4])
    asked = []
    for module in (peers, replaying):
        monkeypatch.setattr(module, "widest_float", lambda device: asked.append(device) or torch.float32)
    torch.testing.assert_close(arm(*batch[:4]), expected, rtol=1e-5, atol=0)
    assert asked == [torch.device("cpu")]
    at_the_ends = make("logit_normal")(*times(0.0, 1.0))
    assert at_the_ends.tolist() == [0, 0]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"^unknown weighting 'barier'; known are baseline, barrier, "):
        make("barier")


@pytest.mark.parametrize(
    ("name", "has"), [("shuffled", "lam, seed"), ("trace", "none"), ("timestep", "bins"), ("baseline", "none")]
)
def test_an_unknown_setting_lists_the_known_ones(name, has):
    with pytest.raises(ValueError, match=rf"^weighting '{name}' has no setting gamma, lambda_; it has {has}$"):
        make(name, lambda_=1, gamma=2)


def test_a_user_adds_an_arm_with_one_decorator(batch, monkeypatch):
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))

    @weighting("mine")
    @dataclass(frozen=True)
    class Mine:
        power: float = 1.0

        def __call__(self, output, target, t, mask=None, **_):
            return t**self.power

    assert Mine(2.0) == make("mine", power=2.0)
    torch.testing.assert_close(make("mine", power=2.0)(*batch[:4]), batch[2] ** 2)


def test_followers_are_the_weightings_with_the_trait_replays(monkeypatch):
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    assert set(arms.followers()) == {"trace", "timestep", "constant"}

    @weighting("mine", replays="step")
    class Mine:
        def calibrate(self, factor, t, step): ...

    assert "mine" in arms.followers()


def test_an_unknown_trait_is_refused(monkeypatch):
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    with pytest.raises(TypeError, match="needs_text"):
        weighting("mine", needs_text=True)(type("Mine", (), {}))


def test_a_callable_that_was_never_registered_has_no_traits():
    assert traits_of(lambda output, target, t, mask=None, **_: t) == Traits()


@pytest.mark.parametrize("name", names())
def test_every_arm_has_the_methods_that_its_traits_promise(name):
    arm, traits = make(name), traits_of(make(name))
    assert hasattr(arm, "calibrate") == bool(traits.replays)
    assert hasattr(arm, "penalty") == traits.has_penalty
    assert hasattr(arm, "load_state_dict") == traits.has_state
    assert ("seed" in arms.settings_of(name)) == traits.draws


@pytest.mark.parametrize("name", [name for name in names() if traits_of(make(name)).per_sample])
def test_joining_batches_changes_no_factor_of_a_per_sample_arm(name, batch):
    output, target, t, mask, clean = batch
    arm = make(name)
    halves = [
        arm(output[part], target[part], t[part], mask[part], clean=clean[part], label=LABEL[part], step=0)
        for part in (slice(None, 3), slice(3, None))
    ]
    assert torch.equal(torch.cat(halves), arm(output, target, t, mask, clean=clean, label=LABEL, step=0))


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_belief_computed_by_the_caller_changes_no_bit(name, dtype, batch):
    output, target, t, mask, clean = batch
    output = output.to(dtype)
    given = {"clean": clean, "label": LABEL, "step": 0}
    alone = ready(name, batch)(output, target, t, mask, **given)
    assert torch.equal(ready(name, batch)(output, target, t, mask, belief=belief(output, mask), **given), alone)


def test_the_class_arms_give_0_1_2_by_the_label_and_their_mean_is_the_baseline(batch):
    forth, back = (make(name)(*batch[:4], label=LABEL) for name in ("class", "class_reversed"))
    assert forth.tolist() == LABEL.tolist()
    assert ((forth + back) / 2 == make("baseline")(*batch[:4])).all()


@pytest.mark.parametrize("name", ["class", "class_reversed"])
@pytest.mark.parametrize("label", [-1, 3])
def test_a_class_arm_refuses_a_label_that_is_no_class(name, label, batch):
    with pytest.raises(ValueError, match=r"^a contrast label must be 0 \(flat\), 1 \(middle\) or 2 \(contrast\); got"):
        make(name)(*batch[:4], label=torch.full((BATCH,), label))


@pytest.mark.parametrize("name", ["barrier", "inverse", "oracle"])
def test_factors_of_many_batches_are_those_of_each(name):
    weight = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    arm = make(name, lam=0.7)
    together = arm.factors(weight)
    for index in np.ndindex(3, 4):
        assert torch.equal(together[index], arm.factors(weight[index]))


def test_settings_are_those_that_make_takes():
    assert arms.settings_of("shuffled") == ["lam", "seed"]
    assert arms.settings_of("baseline") == []


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match=r"^a weighting named 'barrier' exists already; choose another name$"):
        weighting("barrier")(object)


# The barrier and its rearrangements


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


def test_shuffled_depends_on_seed_and_step_and_on_nothing_else(batch):
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


def test_an_arm_of_a_run_draws_from_the_run_s_seed_unless_told_another(batch):
    output, target, t, mask, _ = batch

    def factors(arm):
        return torch.stack([arm(output, target, t, mask, step=step) for step in range(8)])

    for seed in (0, 7):
        wanted = factors(make("shuffled", lam=0.3, seed=seed))
        assert torch.equal(factors(arms.of_run("shuffled", seed, lam=0.3)), wanted)
    assert not torch.equal(factors(arms.of_run("shuffled", 0)), factors(arms.of_run("shuffled", 7)))
    assert torch.equal(factors(arms.of_run("shuffled", 0, seed=7)), factors(arms.of_run("shuffled", 7)))
    assert not torch.equal(arms.of_run("edm2", 0).frequency, arms.of_run("edm2", 7).frequency)
    assert arms.of_run("barrier", 7, lam=0.3) == make("barrier", lam=0.3)
    with pytest.raises(ValueError, match="unknown weighting 'none'"):
        arms.of_run("none", 0)


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


def test_oracle_looks_at_the_clean_sample_alone(batch):
    output, target, t, mask, clean = batch
    factor = make("oracle", lam=0.8)(output, target, t, mask, clean=clean)
    assert torch.equal(factor, barrier_factor(clean, 0.8, mask))
    with pytest.raises(TypeError, match="clean"):
        make("oracle")(output, target, t, mask)


@pytest.mark.parametrize("name", ["shuffled", "trace"])
def test_an_arm_that_needs_the_step_says_so(name, batch):
    with pytest.raises(TypeError, match="step"):
        make(name)(*batch[:4])


# The followers


@pytest.mark.parametrize("name", ["trace", "timestep", "constant"])
def test_an_arm_that_saw_nothing_refuses(name, batch):
    with pytest.raises(ValueError, match=r"^(trace has no factor for step 0|the curve is empty); calibrate it"):
        make(name)(*batch[:4], step=0)


@pytest.mark.parametrize("name", ["timestep", "constant"])
def test_a_curve_refuses_times_and_shapes_it_has_no_place_for(name):
    arm = make(name)
    with pytest.raises(ValueError, match=r"^factor and t must both be \[B\]; got shapes \(3,\) and \(1,\)$"):
        arm.calibrate(torch.rand(3), torch.rand(1), 0)
    for t in ([-0.25, 0.5], [0.5, 1.25]):
        with pytest.raises(ValueError, match=rf"^t must lie in \[0, 1\]; got {t[0]} to {t[1]}$"):
            arm.calibrate(torch.rand(2), torch.tensor(t), 0)
    assert not arm.count.any()


def test_a_curve_has_a_bin_or_more():
    with pytest.raises(ValueError, match=r"^a curve needs one bin of t or more; got 0$"):
        make("timestep", bins=0)


@pytest.mark.parametrize("name", ["trace", "timestep", "constant"])
@pytest.mark.parametrize("fault", [math.nan, math.inf])
def test_an_arm_cannot_be_calibrated_on_a_fault(name, fault):
    with pytest.raises(ValueError, match=r"^an arm cannot be calibrated on NaN or inf; refuse such a step before"):
        make(name).calibrate(torch.tensor([0.5, fault]), torch.tensor([0.1, 0.2]), 0)


@pytest.mark.parametrize("name", ["trace", "timestep", "constant", "edm2"])
def test_a_state_survives_a_file(name, batch, tmp_path):
    output, target, t, mask, _ = batch
    arm = ready(name, batch)
    if name == "edm2":
        torch.nn.init.normal_(arm.head.weight)
    factor = arm(output, target, t, mask, step=0)
    save_file(arm.state_dict(), tmp_path / "arm.safetensors")
    copy = make(name, seed=7) if name == "edm2" else make(name)
    copy.load_state_dict(load_file(tmp_path / "arm.safetensors"))
    assert torch.equal(copy(output, target, t, mask, step=0), factor)
    for key, value in arm.state_dict().items():
        assert torch.equal(copy.state_dict()[key], value)


@pytest.mark.parametrize("name", ["timestep", "constant"])
def test_a_state_shares_no_memory_with_its_arm(name):
    arm = make(name)
    state = arm.state_dict()
    other = make(name)
    other.load_state_dict(state)
    arm.calibrate(torch.tensor([0.5]), torch.tensor([0.5]), 0)
    other.calibrate(torch.tensor([0.7]), torch.tensor([0.5]), 0)
    assert not any(values.any() for values in state.values())


def test_trace_replays_the_batch_mean_of_each_step(batch):
    output, target, t, mask, _ = batch
    arm = make("trace")
    arm.calibrate(torch.tensor([0.2, 0.4]), t, 3)
    arm.calibrate(torch.tensor([0.5, 0.7]), t, 4)
    assert arm(output, target, t, mask, step=3).tolist() == pytest.approx([0.3] * BATCH)
    assert arm(output, target, t, mask, step=4).tolist() == pytest.approx([0.6] * BATCH)
    with pytest.raises(
        ValueError, match=r"^trace has no factor for step 5; calibrate it first, or load a run that lon"
    ):
        arm(output, target, t, mask, step=5)
    with pytest.raises(
        ValueError, match=r"^trace has a factor for step 3 already; count every call, or make a new arm$"
    ):
        arm.calibrate(torch.tensor([0.9]), t, 3)
    for state in (arm.state_dict(), make("trace").state_dict()):
        assert {key: values.dtype for key, values in state.items()} == {"step": torch.int64, "mean": torch.float64}
    with pytest.raises(ValueError, match="shorter"):
        arm.load_state_dict({"step": torch.arange(2), "mean": torch.rand(1)})


def test_constant_is_the_mean_over_everything_it_was_calibrated_on(batch):
    output, target, t, mask, _ = batch
    arm = make("constant")
    arm.calibrate(torch.tensor([0.2, 0.4]), torch.tensor([0.0, 1.0]), 0)
    arm.calibrate(torch.tensor([0.9]), torch.tensor([0.5]), 1)
    assert arm(output, target, t, mask).tolist() == pytest.approx([0.5] * BATCH)


@pytest.mark.parametrize("name", ["timestep", "constant"])
def test_a_curve_is_frozen_by_its_first_use_also_after_a_file(name, batch):
    arm = ready(name, batch)
    arm.calibrate(torch.tensor([0.5]), torch.tensor([0.5]), 1)
    thawed = make(name)
    thawed.load_state_dict(arm.state_dict())
    thawed.calibrate(torch.tensor([0.5]), torch.tensor([0.5]), 1)
    arm(*batch[:4])
    copy = make(name)
    copy.load_state_dict(arm.state_dict())
    for frozen in (arm, copy):
        with pytest.raises(
            ValueError, match=r"^the curve is frozen by its first use; calibrate before that, or make a"
        ):
            frozen.calibrate(torch.tensor([0.5]), torch.tensor([0.5]), 1)


def test_timestep_joins_the_means_of_its_bins():
    arm = make("timestep", bins=4)
    t = torch.tensor([0.0, 0.2, 0.3, 0.8, 1.0], dtype=torch.float64)
    arm.calibrate(torch.tensor([1.0, 0.8, 0.6, 0.2, 0.3]), t, 0)  # bins of t: [0, .25) [.25, .5) [.5, .75) [.75, 1]
    at = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.6, 0.9, 1.0], dtype=torch.float64)
    output = torch.zeros(7, 1, 2, dtype=torch.float64)
    expected = [0.9, 0.9, 0.75, 0.6, 0.425, 0.25, 0.25]  # level, knot, half way, knot, over an empty bin, knot, level
    assert arm(output, output, at).tolist() == pytest.approx(expected, rel=1e-6)
    assert len(make("timestep").count) == 20


def test_timestep_recovers_a_smooth_expectation():
    draw = torch.Generator().manual_seed(0)
    arm = make("timestep")
    for step in range(50):
        t = torch.rand(200, generator=draw)
        arm.calibrate(1 - 0.8 * t.square() + 0.05 * torch.randn(200, generator=draw), t, step)
    at = torch.linspace(0, 1, 101)
    error = arm(torch.zeros(101, 1, 2), torch.zeros(101, 1, 2), at) - (1 - 0.8 * at.square())
    assert error[3:98].abs().max() < 0.01
    assert error.abs().max() < 0.05  # level beyond the outermost knots


def test_a_state_with_other_bins_is_refused():
    with pytest.raises(ValueError, match=r"^bins of t: 1 in the state, 20 in this arm; make one with as many$"):
        make("timestep").load_state_dict(make("constant").state_dict())


# The peers


def times(*values: float) -> tuple:
    return torch.zeros(len(values), 1, 2), None, torch.tensor(values)


def test_min_snr_is_the_clean_samples_weight_times_t_squared():
    t = torch.tensor([0.1, 0.3, 0.5, 0.9])
    snr = ((1 - t) / t) ** 2
    assert (snr > 5).any()
    assert (snr < 5).any()
    torch.testing.assert_close(make("min_snr")(*times(*t.tolist())), snr.clamp(max=5) * t**2)
    torch.testing.assert_close(make("min_snr", gamma=1.0)(*times(*t.tolist())), snr.clamp(max=1) * t**2)
    assert make("min_snr")(*times(0.0, 1.0)).tolist() == [0, 0]


@pytest.mark.parametrize(("name", "setting"), [("min_snr", "gamma"), ("logit_normal", "scale")])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_a_peers_setting_is_checked_when_the_arm_is_made(name, setting, value):
    with pytest.raises(ValueError, match=rf"^{setting} must be above 0; got {value}$"):
        make(name, **{setting: value})


@pytest.mark.parametrize(("location", "scale"), [(0.0, 1.0), (0.5, 0.7)])
def test_logit_normal_is_the_density_of_a_squashed_normal(location, scale):
    grid = (torch.arange(20000) + 0.5) / 20000
    factor = make("logit_normal", location=location, scale=scale)(*times(*grid.tolist()))
    assert factor.double().mean().item() == pytest.approx(1, abs=1e-5)
    below = (factor.double() * (grid < 0.7)).mean().item()
    quantile = (math.log(0.7 / 0.3) - location) / scale
    assert below == pytest.approx(0.5 * (1 + math.erf(quantile / math.sqrt(2))), abs=2e-4)


def test_logit_normal_vanishes_at_both_ends_and_is_standard_unless_told():
    assert make("logit_normal")(*times(0.0, 1.0)).tolist() == pytest.approx([0, 0], abs=1e-100)
    assert make("logit_normal")(*times(0.5)).item() == pytest.approx(4 / math.sqrt(2 * math.pi))


def test_edm2_starts_at_one_and_its_penalty_at_zero():
    arm = make("edm2")
    t = torch.linspace(0, 1, 5)
    assert torch.equal(arm(torch.zeros(5, 1, 2), None, t), torch.ones(5))
    assert torch.equal(arm.penalty(t), torch.zeros(5))
    assert torch.equal(arm.penalty(t.double()), torch.zeros(5, dtype=torch.float64))
    assert [parameter.shape for parameter in arm.parameters()] == [(1, 128), (1,)]


def test_edm2_features_have_unit_variance_and_belong_to_the_seed():
    arm = make("edm2", features=4096)
    torch.nn.init.ones_(arm.head.weight)
    per_feature = arm.penalty(torch.tensor([0.3])).item() / math.sqrt(4096)
    assert abs(per_feature) < 4  # a sum of 4096 unit-variance features
    torch.manual_seed(3)
    generator = torch_generator(0, "edm2")
    assert torch.equal(make("edm2").frequency, torch.randn(128, generator=generator))
    assert torch.equal(make("edm2").phase, torch.rand(128, generator=generator))
    assert not torch.equal(make("edm2").frequency, make("edm2", seed=1).frequency)
    assert not torch.equal(make("edm2").phase, make("edm2", seed=1).phase)
    phases = make("edm2", features=4096).phase
    assert (phases.min() >= 0) & (phases.max() <= 1) & (phases.std() > 0.25)
    one = make("edm2", features=1)
    one.load_state_dict(
        {
            "frequency": torch.tensor([2.0]),
            "phase": torch.tensor([0.25]),
            "head.weight": torch.tensor([[3.0]]),
            "head.bias": torch.tensor([0.5]),
        }
    )
    expected = 3 * math.sqrt(2) * math.cos(2 * math.pi * (2 * 0.3 + 0.25)) + 0.5
    assert one.penalty(torch.tensor([0.3])).item() == pytest.approx(expected, rel=1e-5)
    assert one(torch.zeros(1, 1, 2), None, torch.tensor([0.3])).item() == pytest.approx(math.exp(-expected), rel=1e-5)


def test_every_arms_signature_names_what_it_reads():
    """`clean` and `label` appear where their traits are declared, `step` in `shuffled` and `trace`."""
    parameters = {name: set(inspect.signature(registry._registry[name].__call__).parameters) for name in names()[:-1]}
    assert {name for name in parameters if "clean" in parameters[name]} == {"oracle"}
    for name, found in parameters.items():
        assert ("clean" in found) == traits_of(make(name)).needs_clean
        assert ("label" in found) == traits_of(make(name)).needs_label
    assert [name for name in parameters if "step" in parameters[name]] == ["shuffled", "trace"]


def test_the_example_in_the_docs_runs():
    page = (Path(__file__).parents[3] / "docs" / "barrier.md").read_text()
    program = page.split("```python\n")[1].split("```")[0]
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3], check=True)
