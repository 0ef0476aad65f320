"""The objective: Stable Audio 3's reduction, the weighting's place in it, and what optimisers make of a factor."""

import ast
import importlib.util
import math
from pathlib import Path

import pytest
import torch

from eisbach.barrier import barrier_factor, barrier_weight, belief, belief_gap
from eisbach.objective import objective, per_sample_loss
from eisbach.weighting import make
from golden.barrier import reference


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.fixture
def batch():
    """output, target, t and a mask with one empty sample."""
    mask = noise(4, 9, seed=2) > -0.5
    mask[2] = False
    return noise(4, 3, 9), noise(4, 3, 9, seed=1), torch.tensor([0.1, 0.4, 0.6, 0.9]), mask


def stable_audio_loss(output, target, mask):
    """Step 11 as `compute_masked_loss` of stable-audio-tools 0.0.20 has it, `mask_loss_weight` 0."""
    signal = torch.where(mask.unsqueeze(1), (output - target) ** 2, 0.0)
    return (signal.sum(dim=(1, 2)) / (mask.sum(dim=1) * output.shape[1] + 1e-8)).mean()


def test_with_factor_one_it_is_stable_audios_reduction_bit_for_bit(batch):
    output, target, t, mask = batch
    loss, _ = objective(output, target, t, mask, make("baseline"))
    assert torch.equal(loss, stable_audio_loss(output, target, mask))
    everywhere = torch.ones_like(mask)
    torch.testing.assert_close(
        objective(output, target, t, None, make("baseline"))[0], stable_audio_loss(output, target, everywhere)
    )


def test_with_factor_one_it_is_the_shipped_function_bit_for_bit():
    output, target, mask = noise(4, 3, 9), noise(4, 3, 9, seed=1), noise(4, 9, seed=2) > 0
    expected, *_ = shipped_masked_loss()((output - target) ** 2, mask, True)
    assert torch.equal(objective(output, target, torch.rand(4), mask, make("baseline"))[0], expected)


def test_a_factor_on_the_squared_errors_is_the_objective_as_the_docs_say():
    output, target, mask = noise(4, 3, 9), noise(4, 3, 9, seed=1), noise(4, 9, seed=2) > 0
    factor = barrier_factor(output, 0.5, mask)
    weighted, *_ = shipped_masked_loss()((output - target) ** 2 * factor[:, None, None], mask, True)
    torch.testing.assert_close(weighted, objective(output, target, torch.rand(4), mask, make("barrier"))[0])


def test_the_lines_that_the_docs_change_are_those_of_the_installed_trainer():
    page = (Path(__file__).parents[2] / "docs" / "barrier.md").read_text()
    change = page.split("```diff\n")[1].split("```")[0].splitlines()
    before = "\n".join(line[1:] for line in change if not line.startswith("+"))
    assert "compute_masked_loss" in before
    assert (training_sources() / "diffusion.py").read_text().count(before) == 1


def training_sources() -> Path:
    return Path(importlib.util.find_spec("stable_audio_tools").submodule_search_locations[0]) / "training"


def shipped_masked_loss():
    """The function alone, from the installed file: the module around it does not import on current releases."""
    module = ast.parse((training_sources() / "utils.py").read_text())
    function = next(node for node in module.body if getattr(node, "name", "") == "compute_masked_loss")
    shipped = {"torch": torch}
    exec(compile(ast.Module([function], []), "compute_masked_loss", "exec"), shipped)
    return shipped["compute_masked_loss"]


@pytest.mark.parametrize(("dtype", "expected"), [("bfloat16", "float32"), ("float64", "float64")])
def test_the_loss_is_float32_or_better(batch, dtype, expected):
    output, target, _, mask = batch
    loss = per_sample_loss(output.to(getattr(torch, dtype)), target.to(getattr(torch, dtype)), mask)
    assert loss.dtype == getattr(torch, expected)
    wide = output.to(getattr(torch, dtype)).double() - target.to(getattr(torch, dtype)).double()
    torch.testing.assert_close(loss.double()[0], wide[0, :, mask[0]].square().mean(), rtol=1e-6, atol=0)
    assert per_sample_loss(output, target.double()).dtype == torch.float64


def test_masked_positions_touch_neither_loss_nor_gradient(batch):
    output, target, _, mask = batch
    expected = per_sample_loss(output, target, mask)
    assert expected[2] == 0
    spoiled = torch.where(mask.unsqueeze(1), output, math.nan).requires_grad_()
    loss = per_sample_loss(spoiled, torch.where(mask.unsqueeze(1), target, math.inf), mask)
    assert torch.equal(loss, expected)
    loss.sum().backward()
    assert spoiled.grad.isfinite().all()
    assert (spoiled.grad * ~mask.unsqueeze(1) == 0).all()


def test_a_single_valid_number_is_its_own_mean():
    mask = torch.tensor([[False, True]])
    assert per_sample_loss(torch.tensor([[[9.0, 3.0]]]), torch.tensor([[[0.0, 1.0]]]), mask).tolist() == [4.0]


def test_grids_reduce_like_sequences(batch):
    output, target, _, mask = batch
    grid = per_sample_loss(output.unflatten(2, (3, 3)), target.unflatten(2, (3, 3)), mask.unflatten(1, (3, 3)))
    torch.testing.assert_close(grid, per_sample_loss(output, target, mask))
    torch.testing.assert_close(
        per_sample_loss(output.unflatten(2, (3, 3)), target.unflatten(2, (3, 3))), per_sample_loss(output, target)
    )


def test_it_is_the_mean_of_factor_times_loss_and_says_what_it_was_made_of(batch):
    output, target, t, mask = batch
    output.requires_grad_()
    for valid in (mask, None):
        loss, telemetry = objective(output, target, t, valid, make("barrier", lam=0.7))
        gap = belief_gap(output.detach(), valid)
        count = torch.full((4,), 9) if valid is None else valid.sum(1)
        assert list(telemetry) == ["loss", "factor", "w", "B", "K"]
        assert all(values.shape == (4,) and not values.requires_grad for values in telemetry.values())
        torch.testing.assert_close(telemetry["loss"], per_sample_loss(output, target, valid).detach())
        torch.testing.assert_close(telemetry["w"].float(), barrier_weight(output, valid), rtol=0, atol=0)
        torch.testing.assert_close(telemetry["B"], 1 - gap)
        torch.testing.assert_close(telemetry["K"], gap * count.double().clamp(min=1).log(), rtol=1e-15, atol=0)
        torch.testing.assert_close(telemetry["factor"], 0.3 + 0.7 * telemetry["w"].float())
        torch.testing.assert_close(loss, (telemetry["loss"] * telemetry["factor"]).mean())


@pytest.mark.parametrize("autocast", [False, True])
def test_the_telemetrys_divergence_keeps_float64s_digits(autocast):
    """log T in float32, which torch gives for an integer T, would leave seven of them."""
    output, mask = 1 + 1e-4 * noise(2, 3, 11), noise(2, 11, seed=1) > -1
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        for valid in (mask, None):
            _, telemetry = objective(output, noise(2, 3, 11), torch.rand(2), valid, make("barrier"))
            for index, sample in enumerate(output.numpy()):
                exact = reference(sample, None if valid is None else valid[index].numpy())["K"]
                assert telemetry["K"][index].item() == pytest.approx(float(exact), rel=1e-11)


def test_an_empty_batch_has_an_empty_telemetry_and_no_mean():
    empty = torch.empty(0, 3, 9)
    for mask in (None, torch.empty(0, 9, dtype=torch.bool)):
        loss, telemetry = objective(empty, empty, torch.empty(0), mask, make("barrier"))
        assert loss.isnan()
        assert all(values.shape == (0,) for values in telemetry.values())


@pytest.mark.parametrize("shape", [(4, 3, 1), (4, 1, 9), (3, 9), (1, 3, 9)])
def test_a_target_that_would_broadcast_is_refused(batch, shape):
    with pytest.raises(ValueError, match=r"^target must have output's shape \(4, 3, 9\); got \("):
        per_sample_loss(batch[0], torch.zeros(shape))


def test_a_mask_that_would_broadcast_is_refused(batch):
    with pytest.raises(ValueError, match=r"^mask must have shape \[B, \*positions\] = \(4, 9\); got \(1, 9\)$"):
        per_sample_loss(*batch[:2], torch.ones(1, 9, dtype=torch.bool))


def test_a_factor_that_would_broadcast_is_refused(batch):
    """t as [B, 1] makes a factor [B, 1], and its product with the loss would be [B, B]."""
    output, target, t, mask = batch
    with pytest.raises(ValueError, match=r"^the weighting must give a factor \[B\] = \(4,\); got \(4, 1\)$"):
        objective(output, target, t.unsqueeze(1), mask, make("logit_normal"))


def test_clean_and_step_reach_the_weighting(batch):
    output, target, t, mask = batch
    clean = noise(4, 3, 9, seed=5)
    _, telemetry = objective(output, target, t, mask, make("oracle"), clean=clean)
    torch.testing.assert_close(telemetry["factor"], 0.5 + 0.5 * barrier_weight(clean, mask))
    shuffled = make("shuffled")
    for step in (0, 5):
        _, telemetry = objective(output, target, t, mask, shuffled, step=step)
        assert torch.equal(telemetry["factor"], shuffled(output, target, t, mask, step=step))
    assert not torch.equal(telemetry["factor"], objective(output, target, t, mask, shuffled)[1]["factor"])


def test_the_weighting_gets_the_batch_its_belief_no_clean_sample_and_step_zero_by_default(batch):
    def seen(*given, **more):
        assert all(mine is yours for mine, yours in zip(given, batch, strict=True))
        for value, expected in zip(more.pop("belief"), belief(batch[0], batch[3]), strict=True):
            assert torch.equal(value, expected)
        assert more == {"clean": None, "label": None, "step": 0}
        return torch.ones_like(given[2])

    objective(*batch, seen)


def test_the_telemetry_of_an_attached_or_trained_weighting_is_detached(batch):
    output, target, t, mask = batch
    for name in ("attached", "edm2"):
        _, telemetry = objective(output.requires_grad_(), target, t, mask, make(name))
        assert not any(values.requires_grad for values in telemetry.values())


def test_nan_in_a_valid_position_reaches_the_loss(batch):
    output, target, t, mask = batch
    output[0, 0, mask[0].nonzero()[0]] = math.nan
    loss, telemetry = objective(output, target, t, mask, make("barrier"))
    assert loss.isnan()
    assert telemetry["factor"].isnan().tolist() == [True, False, False, False]


# Gradients and optimisers


@pytest.mark.parametrize("name", ["baseline", "barrier", "attached", "min_snr", "logit_normal", "oracle"])
def test_accumulated_micro_batches_give_the_big_batchs_gradient(batch, name):
    output, target, t, mask = (part.double() if part.is_floating_point() else part for part in batch)
    clean = noise(4, 3, 9, seed=5, dtype=torch.float64)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    arm = make(name)
    (big,) = torch.autograd.grad(objective(scale * output, target, t, mask, arm, clean=clean)[0], scale)
    for part in (slice(0, 2), slice(2, 4)):
        loss, _ = objective(scale * output[part], target[part], t[part], mask[part], arm, clean=clean[part])
        (loss / 2).backward()
    torch.testing.assert_close(scale.grad, big, rtol=1e-12, atol=0)


def trained(optimiser, factor: float) -> torch.Tensor:
    """A linear model after 30 steps on a noisy target, its loss times a constant factor."""
    weight = torch.nn.Parameter(noise(3, 3, dtype=torch.float64))
    steps = optimiser([weight])
    for step in range(30):
        data, target = (noise(4, 3, 9, seed=100 * step + part, dtype=torch.float64) for part in (0, 1))
        output = torch.einsum("dc,bct->bdt", weight, data)
        steps.zero_grad()
        arm = make("constant")
        arm.calibrate(torch.tensor([factor]), torch.tensor([0.5]), 0)
        objective(output, target, torch.full((4,), 0.5), None, arm)[0].backward()
        steps.step()
    return weight.detach()


def test_a_constant_factor_is_a_no_op_for_adamw():
    def adamw(parameters):
        return torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.1, eps=1e-12)

    torch.testing.assert_close(trained(adamw, 0.3), trained(adamw, 1.0), rtol=1e-9, atol=1e-9)


def test_a_constant_factor_is_a_learning_rate_for_sgd():
    def sgd(lr):
        return lambda parameters: torch.optim.SGD(parameters, lr=lr)

    torch.testing.assert_close(trained(sgd(1e-1), 0.3), trained(sgd(3e-2), 1.0), rtol=1e-5, atol=1e-6)
    assert (trained(sgd(1e-1), 0.3) - trained(sgd(1e-1), 1.0)).abs().max() > 0.01


def test_edm2_learns_the_log_of_the_loss_expected_at_t():
    arm = make("edm2")
    optimiser = torch.optim.Adam(arm.parameters(), lr=0.01)
    draw = torch.Generator().manual_seed(0)
    model = torch.zeros((), requires_grad=True)
    for _ in range(400):
        t = torch.rand(256, generator=draw)
        amplitude = torch.exp(1 - 2 * t)[:, None, None].expand(-1, 1, 2)
        loss, telemetry = objective(model + 0 * amplitude, amplitude, t, None, arm)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    at = torch.tensor([0.1, 0.5, 0.9])
    torch.testing.assert_close(arm.penalty(at), 2 - 4 * at, rtol=0, atol=0.1)
    weighted = telemetry["loss"] * telemetry["factor"] - telemetry["factor"].log()
    torch.testing.assert_close(loss.detach(), weighted.mean(), rtol=1e-4, atol=1e-5)


def test_edm2_sends_the_model_the_factor_times_the_plain_gradient(batch):
    output, target, t, mask = batch
    arm = make("edm2")
    torch.nn.init.normal_(arm.head.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    output.requires_grad_()
    loss, telemetry = objective(output, target, t, mask, arm)
    (weighted,) = torch.autograd.grad(loss, output)
    (plain,) = torch.autograd.grad(objective(output, target, t, mask, make("baseline"))[0], output)
    torch.testing.assert_close(weighted, plain * telemetry["factor"][:, None, None])
