"""The arms that replay another arm's factors, and their state."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from eisbach.weighting import (
    make,
)
from tests.eisbach.weighting.ready import BATCH, ready


@pytest.mark.parametrize("name", ["trace", "timestep", "constant"])
def test_an_uncalibrated_arm_refuses_a_call(name, batch):
    with pytest.raises(ValueError, match=r"^(trace has no factor for step 0|the curve is empty); calibrate it"):
        make(name)(*batch[:4], step=0)


@pytest.mark.parametrize("name", ["timestep", "constant"])
def test_a_curve_refuses_times_outside_0_to_1_and_other_shapes(name):
    arm = make(name)
    with pytest.raises(ValueError, match=r"^factor and t must both be \[B\]; got shapes \(3,\) and \(1,\)$"):
        arm.calibrate(torch.rand(3), torch.rand(1), 0)
    for t in ([-0.25, 0.5], [0.5, 1.25]):
        with pytest.raises(ValueError, match=rf"^t must lie in \[0, 1\]; got {t[0]} to {t[1]}$"):
            arm.calibrate(torch.rand(2), torch.tensor(t), 0)
    assert not arm.count.any()


def test_a_curve_needs_at_least_one_bin():
    with pytest.raises(ValueError, match=r"^a curve needs one bin of t or more; got 0$"):
        make("timestep", bins=0)


@pytest.mark.parametrize("name", ["trace", "timestep", "constant"])
@pytest.mark.parametrize("fault", [math.nan, math.inf])
def test_an_arm_cannot_be_calibrated_on_nan_or_inf(name, fault):
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


def test_constant_is_the_mean_of_all_calibration_factors(batch):
    output, target, t, mask, _ = batch
    arm = make("constant")
    arm.calibrate(torch.tensor([0.2, 0.4]), torch.tensor([0.0, 1.0]), 0)
    arm.calibrate(torch.tensor([0.9]), torch.tensor([0.5]), 1)
    assert arm(output, target, t, mask).tolist() == pytest.approx([0.5] * BATCH)


@pytest.mark.parametrize("name", ["timestep", "constant"])
def test_a_curve_is_frozen_by_its_first_use_and_stays_frozen_in_a_file(name, batch):
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
