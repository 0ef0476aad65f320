"""The barrier against 50-digit arithmetic and golden vectors, its errors, and torch's transformations of it.

Longer than 300 lines: one file for one module, so that the mutation run has one place to look.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

import mpmath
import pytest
import torch

from benchmarks.precision import output_of_divergence
from eisbach import barrier
from eisbach.barrier import barrier_factor, barrier_weight, belief_gap, position_energy, weight_of_gap, widest_float
from golden.barrier import reference

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "golden" / "barrier.json").read_text())


def relative_error(value: torch.Tensor, exact: mpmath.mpf) -> float:
    exact = mpmath.mpf(exact)
    return float(abs(value.item() - exact) / exact) if exact else abs(value.item())


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def spread(positions: int, deviation: float, channels: int = 2) -> torch.Tensor:
    """A float32 output `[1, C, T]` whose energies are about 1 with standard deviation about `deviation`."""
    return (1 + deviation * noise(1, channels, positions, dtype=torch.float64)).float()


# Precision


@pytest.mark.reference
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_golden_vectors(vector):
    output = torch.tensor(vector["output"], dtype=torch.float32)[None]
    mask = None if vector["mask"] is None else torch.tensor(vector["mask"])[None]
    assert relative_error(belief_gap(output, mask), vector["gap"]) < 1e-14
    assert relative_error(barrier_weight(output, mask), vector["w"]) < 1.2e-7
    assert relative_error(barrier_factor(output, vector["lam"], mask), vector["factor"]) < 1.2e-7


@pytest.mark.reference
def test_the_golden_file_is_what_its_script_writes(tmp_path):
    script = ROOT / "golden" / "barrier.py"
    (tmp_path / "barrier.py").write_text(script.read_text())
    subprocess.run([sys.executable, tmp_path / "barrier.py"], check=True)
    assert (tmp_path / "barrier.json").read_text() == script.with_suffix(".json").read_text()


@pytest.mark.reference
@pytest.mark.parametrize("positions", [2, 108, 1292, 4096])
@pytest.mark.parametrize("nats", [5.0, 0.5, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12])
def test_the_gap_of_a_float32_output_is_exact_to_1e_10(positions, nats):
    """Asked for are 1e-6. K cannot exceed log T."""
    output = output_of_divergence(min(nats, 0.9 * math.log(positions)), positions)
    exact = reference(output[0].numpy())
    assert 0.5 < exact["K"] / min(nats, 0.9 * math.log(positions)) < 2
    assert relative_error(belief_gap(output)[0], exact["gap"]) < 1e-10


@pytest.mark.reference
@pytest.mark.parametrize("nats", [1e-4, 1e-12])
def test_the_gap_is_as_exact_where_the_sum_over_channels_has_to_round(nats):
    """Two float32 squares add up exactly in float64; 64 do not."""
    output = output_of_divergence(nats, 108, channels=64)
    assert relative_error(belief_gap(output)[0], reference(output[0].numpy())["gap"]) < 1e-9


@pytest.mark.reference
def test_the_gap_is_exact_where_the_divergence_is_ten_nats():
    output = torch.zeros(1, 1, 32768)
    output[0, 0, 17], output[0, 0, 18] = 6.0, 3.0
    exact = reference(output[0].numpy())
    assert 9 < exact["K"] < 10.4
    assert relative_error(belief_gap(output)[0], exact["gap"]) < 1e-10


@pytest.mark.reference
@pytest.mark.parametrize("level", [1.0, 100.0, 1e15])
@pytest.mark.parametrize("deviation", [0.0, 1e-5, 0.1])
def test_large_energies_are_finite_and_right(level, deviation):
    output = level * spread(108, deviation)
    weight = barrier_weight(output)
    assert relative_error(weight[0], reference(output[0].numpy())["w"]) < 2e-7


@pytest.mark.parametrize("positions", [2, 108, 4096])
@pytest.mark.parametrize("deviation", [1e-6, 1e-3, 0.05, 0.3, 2.0, 40.0])
def test_float32_arithmetic_keeps_six_digits_of_the_divergence_of_given_energies(positions, deviation):
    """What a device without float64 computes: the formula itself, fed float32 energies."""
    energy = (deviation * noise(1, positions).abs()).float()
    every = torch.ones_like(energy, dtype=torch.bool)
    measured = barrier._divergence(energy, every, torch.tensor([float(positions)]))
    exact = barrier._divergence(energy.double(), every, torch.tensor([float(positions)]))
    torch.testing.assert_close(measured.double(), exact, rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_series_and_the_direct_form_of_phi_meet(dtype):
    below, above = (torch.nextafter(torch.tensor(0.5, dtype=dtype), torch.tensor(to, dtype=dtype)) for to in (0.0, 1.0))
    for sign in (1, -1):
        first, second = barrier._phi(sign * torch.stack([below, above]))
        torch.testing.assert_close(first, second, rtol=20 * torch.finfo(dtype).eps, atol=0)


@pytest.mark.reference
@pytest.mark.parametrize("log_ratio", [-745.0, -3.0, -0.5, -0.49, -1e-3, -1e-9, 1e-9, 1e-3, 0.3, 0.49, 0.5, 2.0, 8.0])
def test_phi_is_exact(log_ratio):
    with mpmath.workdps(60):
        exact = log_ratio * mpmath.exp(log_ratio) - mpmath.expm1(log_ratio)
    assert relative_error(barrier._phi(torch.tensor(log_ratio, dtype=torch.float64)), exact) < 1e-14


def test_the_naive_formula_loses_what_this_one_keeps():
    """The reason for this module: 1 - H / log T in float32 has no digit of a K of 1e-8."""
    output = spread(1292, 1e-4)
    belief = output.square().mean(1).softmax(1)
    naive = 1 + (belief * belief.log()).sum(1) / math.log(1292)
    exact = reference(output[0].numpy())["gap"]
    assert relative_error(naive[0], exact) > 0.5
    assert relative_error(belief_gap(output)[0], exact) < 1e-10


def test_a_flat_float32_gap_does_not_underflow_to_weight_zero():
    """Outputs of 1e-12 have a gap of 1e-49, which float32 holds as 0 and float64 does not."""
    weight = barrier_weight(1e-12 * noise(1, 4, 16))
    assert 0.005 < weight < 0.02


@pytest.mark.parametrize("scale", [1.0, 1e15, 1e19])
def test_the_attached_gradient_is_finite_at_any_energy_that_is(scale):
    """In the series of phi, not taken there, a log-ratio of -1e30 would overflow and the gradient be 0 * inf."""
    output = (scale * noise(2, 3, 8, dtype=torch.float64)).requires_grad_()
    barrier_weight(output, detach=False).sum().backward()
    assert output.grad.isfinite().all()


def test_rounding_cannot_lift_the_gap_above_one():
    """One position holds everything: K / log T rounds above 1 for some T."""
    lengths = range(2, 200)
    outputs = [torch.zeros(1, 1, length).index_fill(2, torch.tensor(0), 20.0) for length in lengths]
    assert any(barrier._divergence(*arguments(output)) > math.log(output.shape[2]) for output in outputs)
    assert all(belief_gap(output) <= 1 for output in outputs)


# Flatness, at the sizes of real models: vector registers have 4 or 8 lanes, and these lengths end within one


FLAT_SIZES = [(1, 2), (3, 1292), (17, 31), (64, 108), (64, 1293), (100, 5), (256, 33), (256, 1292), (768, 9)]


@pytest.mark.parametrize(("channels", "positions"), FLAT_SIZES)
@pytest.mark.parametrize("channels_last", [False, True])
def test_an_exactly_flat_output_has_gap_zero_and_gradient_zero(channels, positions, channels_last):
    output = noise(2, channels, 1).expand(-1, -1, positions)
    output = output.mT.contiguous().mT if channels_last else output.contiguous()
    output.requires_grad_()
    assert torch.equal(belief_gap(output), torch.zeros(2, dtype=torch.float64))
    barrier_weight(output, detach=False).sum().backward()
    assert torch.equal(output.grad, torch.zeros_like(output))


@pytest.mark.parametrize(("channels", "positions"), FLAT_SIZES)
def test_an_energy_does_not_depend_on_where_its_position_stands(channels, positions):
    output = noise(2, channels, positions)
    order = torch.randperm(positions, generator=torch.Generator().manual_seed(0))
    energy = position_energy(output)
    assert torch.equal(position_energy(output[:, :, order]), energy[:, order])
    assert torch.equal(position_energy(output.mT.contiguous().mT), energy)
    torch.testing.assert_close(energy, output.double().square().mean(1), rtol=1e-14, atol=0)


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 4.0])
@pytest.mark.parametrize(("channels", "positions"), [(1, 7), (64, 108), (256, 1293)])
def test_masking_equals_slicing_at_the_sizes_of_real_models(channels, positions, scale):
    output, mask = scale * noise(3, channels, positions), noise(3, positions, seed=1) > -0.5
    mask[:, :2] = True
    spoiled = torch.where(mask.unsqueeze(1), output, math.nan)
    for index, valid in enumerate(mask):
        alone = output[index : index + 1, :, valid]
        assert torch.equal(barrier_weight(spoiled, mask)[index], barrier_weight(alone)[0])
        torch.testing.assert_close(belief_gap(spoiled, mask)[index], belief_gap(alone)[0], rtol=1e-12, atol=0)


# The attached gradient beside the cusp


def reference_gradient(output: torch.Tensor) -> list[mpmath.mpf]:
    """dw/dy of a one-channel sample, `[1, 1, T]` -> T numbers: w^2 / K p (log p + H) 2 y, in 160 digits."""
    with mpmath.workdps(160):
        values = [mpmath.mpf(y) for y in output.flatten().tolist()]
        exponentials = [mpmath.exp(y**2) for y in values]
        belief = [part / mpmath.fsum(exponentials) for part in exponentials]
        entropy = -mpmath.fsum(p * mpmath.log(p) for p in belief)
        exact = reference(output[0].numpy())
        scale = exact["w"] ** 2 / exact["K"]
        return [scale * p * (mpmath.log(p) + entropy) * 2 * y for p, y in zip(belief, values, strict=True)]


@pytest.mark.parametrize("scale", [2.0, 1e-3, 1e-10, 1e-20, 1e-30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_beside_the_cusp_the_attached_gradient_is_the_true_one(scale, dtype):
    output = (scale * torch.tensor([[[1.0, 0.5, -0.75, 0.1]]], dtype=dtype)).requires_grad_()
    barrier_weight(output, detach=False).sum().backward()
    limit = 1e-12 if dtype == torch.float64 else 2e-7
    for value, exact in zip(output.grad.flatten(), reference_gradient(output.detach()), strict=True):
        assert abs(value.item() / float(exact) - 1) < limit


def test_a_gradient_beyond_the_outputs_dtype_is_infinite_with_the_true_sign():
    """Beside silence, K = y^4 / 8 and dw/dy = 4 w^2 / y."""
    for y, expected in ((1e-30, None), (1.4e-45, math.inf), (-1.4e-45, -math.inf)):
        output = torch.tensor([[[y, 0.0]]], requires_grad=True)
        weight = barrier_weight(output, detach=False)
        weight.sum().backward()
        exact = 4 * weight.item() ** 2 / output[0, 0, 0].item()
        assert (abs(exact) > torch.finfo(torch.float32).max) == (expected is not None)
        assert output.grad.flatten().tolist() == [pytest.approx(expected or exact, rel=1e-6), 0.0]


@pytest.mark.parametrize("scale", [1e-76, 1e-77, 1e-79, 1e-80, 1e-81, 1e-90, 1e-170])
def test_a_subnormal_gap_is_flat_and_the_gradient_never_nan(scale):
    """1 / 1e-315 overflows, and inf * 0 would be NaN in the gradient."""
    output = (scale * torch.tensor([[[1.0, 0.5, -0.75, 0.0]]], dtype=torch.float64)).requires_grad_()
    weight = barrier_weight(output, detach=False)
    weight.sum().backward()
    flat = belief_gap(output).item() < 2.3e-308
    assert flat == (scale < 5e-77)
    assert (weight.item() == 0) == flat
    assert (output.grad.abs().max().item() == 0) == flat
    assert output.grad.isfinite().all()


def test_the_smallest_normal_gap_has_a_weight_and_a_finite_gradient():
    for dtype in (torch.float32, torch.float64):
        tiny = torch.finfo(dtype).tiny
        gap = torch.tensor([tiny, tiny / 2], dtype=dtype, requires_grad=True)
        weight_of_gap(gap).sum().backward()
        assert weight_of_gap(gap).tolist() == pytest.approx([1 / (1 - math.log(tiny)), 0.0])
        assert gap.grad[0].item() == pytest.approx((1 - math.log(tiny)) ** -2 / tiny)
        assert gap.grad[1] == 0


def arguments(output: torch.Tensor) -> tuple[torch.Tensor, ...]:
    energy = position_energy(output)
    return energy, torch.ones_like(energy, dtype=torch.bool), torch.full((len(energy),), float(energy.shape[1]))


def test_a_single_position_has_no_divergence():
    assert torch.equal(barrier._divergence(*arguments(noise(3, 2, 1))), torch.zeros(3, dtype=torch.float64))


# Equations, on cases small enough for the hand


def test_the_energy_is_the_mean_square_over_channels_in_float64():
    energy = position_energy(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    assert torch.equal(energy, torch.tensor([[5.0, 10.0]], dtype=torch.float64))


@pytest.mark.parametrize("gap", [1.0, math.exp(-1), math.exp(-3), 1e-9, 0.0])
def test_the_weight_of_a_gap(gap):
    expected = 1 / (1 - math.log(gap)) if gap else 0.0
    assert weight_of_gap(torch.tensor(gap, dtype=torch.float64)).item() == pytest.approx(expected, rel=1e-14)


def test_the_factor_of_two_samples_by_hand():
    output = torch.tensor([[[30.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]]])
    assert torch.equal(barrier_factor(output, 0.75), torch.tensor([1.0, 0.25]))
    assert torch.equal(barrier_factor(output, 0.75, reduction="batch"), torch.tensor([0.625, 0.625]))


def test_detached_unless_told_otherwise():
    output = noise(2, 3, 5).requires_grad_()
    mask = torch.ones(2, 5, dtype=torch.bool)
    assert not barrier_weight(output, mask).requires_grad
    assert not barrier_factor(output, 0.5, mask).requires_grad
    assert barrier_weight(output, mask, detach=False).requires_grad
    assert barrier_factor(output, 0.5, mask, detach=False).requires_grad
    assert belief_gap(output, mask).requires_grad


def test_the_attached_gradient_is_that_of_finite_differences():
    output = noise(2, 3, 5, dtype=torch.float64).requires_grad_()
    mask = torch.tensor([[True, True, False, True, True], [True] * 5])
    assert torch.autograd.gradcheck(lambda y: barrier_factor(y, 0.7, mask, detach=False), output)


def test_a_device_without_float64_gets_float32():
    class Mps(torch.Tensor):
        device = torch.device("mps")

    energy = position_energy(noise(1, 2, 3).as_subclass(Mps))
    assert energy.dtype == torch.float32


def test_only_mps_has_nothing_wider_than_float32():
    assert [widest_float(torch.device(kind)) for kind in ("mps", "cpu", "cuda")] == [
        *(torch.float32, torch.float64, torch.float64),
    ]


@pytest.mark.parametrize("reduction", ["sample", "batch"])
def test_an_empty_batch_gives_an_empty_result(reduction):
    assert barrier_factor(torch.empty(0, 4, 8), 0.5, reduction=reduction).shape == (0,)
    assert barrier_weight(torch.empty(0, 4, 8), torch.empty(0, 8, dtype=torch.bool)).shape == (0,)


def test_forward_mode_sees_nothing_of_a_detached_weight(stack):
    output = stack[0][0]
    _, tangent = torch.func.jvp(barrier_weight, (output,), (torch.ones_like(output),))
    assert not tangent.any()
    attached = torch.func.jvp(lambda output: barrier_weight(output, detach=False), (output,), (output,))[1]
    along = torch.func.grad(lambda output: barrier_weight(output, detach=False).sum())(output) * output
    torch.testing.assert_close(attached, along.sum((1, 2)))


# Errors: one sentence that names the value


@pytest.mark.parametrize("lam", [-0.1, 1.1, math.nan])
def test_lam_outside_the_unit_interval(lam):
    with pytest.raises(ValueError, match=rf"^lam must lie in \[0, 1\]; got {lam}$"):
        barrier_factor(noise(2, 3, 4), lam)


@pytest.mark.parametrize("lam", [0, 1])
def test_both_ends_of_lam_are_allowed(lam):
    assert barrier_factor(noise(2, 3, 4), lam).shape == (2,)


@pytest.mark.parametrize("call", [position_energy, belief_gap, barrier_weight])
@pytest.mark.parametrize("shape", [(4,), (2, 4), (2, 0, 4), (2, 4, 0)])
def test_an_output_without_channels_or_positions(call, shape):
    message = r"^output must be \[B, C, \*positions\] with at least one channel and one position; got shape \("
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64, torch.float8_e4m3fn])
def test_an_output_of_another_dtype(dtype):
    with pytest.raises(ValueError, match=f"^output must be float16, bfloat16, float32 or float64; got {dtype}$"):
        position_energy(torch.zeros(2, 3, 4, dtype=dtype))


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 5), (3, 4), (1, 4), (4,)])
def test_a_mask_of_the_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"^mask must have shape \[B, \*positions\] = \(2, 4\); got \("):
        barrier_weight(noise(2, 3, 4), torch.ones(shape, dtype=torch.bool))


def test_a_mask_that_is_not_boolean():
    with pytest.raises(ValueError, match=r"^mask must be boolean, true where a position is valid; got torch.float32$"):
        belief_gap(noise(2, 3, 4), torch.ones(2, 4))


def test_an_unknown_reduction():
    with pytest.raises(ValueError, match=r"^reduction must be 'sample' or 'batch'; got 'mean'$"):
        barrier_factor(noise(2, 3, 4), 0.5, reduction="mean")


# torch's transformations


@pytest.fixture
def stack():
    mask = noise(5, 4, 6, seed=1) > -1
    mask[..., :2] = True
    return noise(5, 4, 3, 6), mask


def test_vmap_over_a_stacked_ensemble(stack):
    outputs, masks = stack
    stacked = torch.vmap(lambda output, mask: barrier_factor(output, 0.5, mask))(outputs, masks)
    assert torch.equal(stacked, torch.stack([barrier_factor(outputs[i], 0.5, masks[i]) for i in range(5)]))
    assert torch.vmap(barrier_weight)(outputs).shape == (5, 4)


def test_vmapped_gradients_of_an_attached_ensemble(stack):
    outputs, masks = stack

    def loss(output, mask):
        return barrier_factor(output, 0.5, mask, detach=False).sum()

    gradients = torch.vmap(torch.func.grad(loss))(outputs, masks)
    for output, mask, gradient in zip(outputs, masks, gradients, strict=True):
        torch.testing.assert_close(gradient, torch.func.grad(loss)(output, mask))


def test_func_grad_sees_nothing_of_a_detached_weight(stack):
    gradient = torch.func.grad(lambda output: barrier_weight(output).sum())(stack[0][0])
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.parametrize("dynamic", [False, True])
def test_compile_as_one_graph(stack, backend, dynamic):
    output, mask = stack[0][0], stack[1][0]
    compiled = torch.compile(
        lambda output, mask: barrier_factor(output, 0.5, mask, detach=False),
        fullgraph=True,
        backend=backend,
        dynamic=dynamic,
    )
    torch.testing.assert_close(compiled(output, mask), barrier_factor(output, 0.5, mask))


def test_export_with_a_free_batch_and_length(stack):
    class Module(torch.nn.Module):
        def forward(self, output, mask):
            return barrier_factor(output, 0.5, mask)

    batch, length = torch.export.Dim("batch", min=1), torch.export.Dim("length", min=2)
    shapes = ({0: batch, 2: length}, {0: batch, 1: length})
    program = torch.export.export(Module(), (stack[0][0], stack[1][0]), dynamic_shapes=shapes)
    output, mask = noise(7, 3, 11), noise(7, 11, seed=1) > -1
    assert torch.equal(program.module()(output, mask), barrier_factor(output, 0.5, mask))


def test_it_runs_with_no_other_package_than_torch():
    """In a fresh interpreter: everything that importing the barrier brings in, torch brings in too."""
    program = (
        "import sys, torch; before = set(sys.modules); import eisbach.barrier;"
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "['eisbach']"
