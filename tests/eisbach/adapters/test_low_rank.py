"""The closed forms against autograd through explicit weights, Stability's layers and PEFT's layers."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from peft import LoraConfig, inject_adapter_in_model
from stable_audio_tools.models.lora import LoRAParametrization
from torch import nn
from torch.func import functional_call

from eisbach.adapters.low_rank import dora, lora, row_norms, square_norms

SCALE = 1.5


def problem(seed, arms=2, rows=5, width=7, out=6, rank=3, dtype=torch.float64, bias=True):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=dtype)

    weight = normal(out, width)
    tensors = {"x": normal(arms, rows, width), "a": normal(arms, rank, width), "b": 0.3 * normal(arms, out, rank)}
    tensors["m"] = weight.norm(dim=1) * (1 + 0.1 * normal(arms, out))
    grad = normal(arms, rows, out)
    return {k: v.requires_grad_() for k, v in tensors.items()}, weight, normal(out) if bias else None, grad


def adapted(t, weight, bias, *, detach=None):
    """The output with the problem's adapters: LoRA if `detach` is None, otherwise DoRA."""
    if detach is None:
        return lora(t["x"], weight, bias, list(zip(t["a"], t["b"], strict=True)), SCALE)
    arms = list(zip(t["a"], t["b"], t["m"], strict=True))
    return dora(t["x"], weight, bias, arms, SCALE, square_norms(weight), detach=detach)


def gradients(output, tensors, grad):
    return torch.autograd.grad(output, list(tensors), grad)


problems = st.builds(
    problem,
    st.integers(0, 10**6),
    arms=st.integers(1, 3),
    rows=st.integers(1, 5),
    width=st.integers(1, 7),
    out=st.integers(1, 6),
    rank=st.integers(1, 4),
    bias=st.booleans(),
)


@given(problems)
def test_lora_equals_the_linear_map_with_its_delta_added(given_problem):
    t, weight, bias, grad = given_problem
    ours = adapted(t, weight, bias)
    built = t["x"] @ (weight + SCALE * t["b"] @ t["a"]).mT + (0 if bias is None else bias)
    torch.testing.assert_close(ours, built)
    wanted = [t["x"], t["a"], t["b"]]
    torch.testing.assert_close(gradients(ours, wanted, grad), gradients(built, wanted, grad))


@pytest.mark.parametrize("detach", [False, True])
@given(problems)
def test_dora_equals_the_linear_map_with_rescaled_rows(detach, given_problem):
    t, weight, bias, grad = given_problem
    ours = adapted(t, weight, bias, detach=detach)
    whole = weight + SCALE * t["b"] @ t["a"]
    norm = whole.norm(dim=-1)
    assume((norm > 0.1 * weight.norm(dim=-1)).all())  # where the delta cancels a row, the closed form loses digits too
    ratio = t["m"] / ((norm.detach() if detach else norm) + 1e-12)
    built = t["x"] @ (ratio.unsqueeze(-1) * whole).mT + (0 if bias is None else bias)
    torch.testing.assert_close(ours, built)
    wanted = list(t.values())
    torch.testing.assert_close(gradients(ours, wanted, grad), gradients(built, wanted, grad), rtol=1e-6, atol=1e-8)


@given(problems)
def test_the_closed_forms_equal_the_norms_and_v_a_transposed(given_problem):
    t, weight, _, _ = given_problem
    downs, ups = t["a"].detach(), t["b"].detach()
    norms, products = row_norms(weight, square_norms(weight), downs, ups, SCALE)
    for norm, product, a, b in zip(norms, products, downs, ups, strict=True):
        torch.testing.assert_close(norm, (weight + SCALE * b @ a).norm(dim=1), rtol=1e-7, atol=1e-7)
        torch.testing.assert_close(product, (weight + SCALE * b @ a) @ a.T)


def test_gradients_agree_with_finite_differences():
    t, weight, bias, _ = problem(0)
    assert torch.autograd.gradcheck(
        lambda *values: adapted(dict(zip(t, values, strict=True)), weight, bias, detach=False), tuple(t.values())
    )


def linear_of(weight, bias):
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.weight.data.copy_(weight)
    if bias is not None:
        linear.bias.data.copy_(bias)
    return linear


@pytest.mark.parametrize("kind", ["lora", "dora-rows"])
def test_outputs_and_gradients_are_stability_s(kind):
    t, weight, bias, grad = problem(1, arms=1, rows=40, width=24, out=32, dtype=torch.float32)
    linear = linear_of(weight, bias)
    theirs = LoRAParametrization.from_linear(linear, rank=3, lora_alpha=3 * SCALE, adapter_type=kind)
    assert theirs.scaling == SCALE
    values = {"lora_A": t["a"][0], "lora_B": t["b"][0]} | ({"magnitude": t["m"][0]} if kind != "lora" else {})
    changed = functional_call(theirs, values, (weight,))
    expected = (t["x"] @ changed.T + bias).detach()
    ours = adapted(t, weight, bias, detach=None if kind == "lora" else False)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    wanted = [t["x"], t["a"], t["b"], *([t["m"]] if kind != "lora" else [])]
    mine, reference = gradients(ours, wanted, grad), gradients(t["x"] @ changed.T + bias, wanted, grad)
    torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("magnitudes", [False, True])
def test_outputs_and_detached_gradients_are_peft_s(magnitudes):
    t, weight, bias, grad = problem(2, arms=1, rows=40, width=24, out=32, dtype=torch.float32)
    holder = nn.Sequential(linear_of(weight, bias))
    inject_adapter_in_model(LoraConfig(r=3, lora_alpha=3 * SCALE, use_dora=magnitudes, target_modules=["0"]), holder)
    layer = holder[0]
    layer.lora_A["default"].weight.data.copy_(t["a"][0])
    layer.lora_B["default"].weight.data.copy_(t["b"][0])
    theirs = [layer.lora_A["default"].weight, layer.lora_B["default"].weight]
    wanted = [t["a"], t["b"]]
    if magnitudes:
        layer.lora_magnitude_vector["default"].weight.data.copy_(t["m"][0])
        theirs.append(layer.lora_magnitude_vector["default"].weight)
        wanted.append(t["m"])
        ours = adapted(t, weight, bias, detach=True)
    else:
        ours = adapted(t, weight, bias)
    reference = holder(t["x"])
    torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-5)
    mine = [g[0] for g in gradients(ours, wanted, grad)]
    torch.testing.assert_close(mine, list(gradients(reference, theirs, grad)), rtol=1e-4, atol=1e-4)


def test_detaching_the_norm_leaves_the_output_equal():
    t, weight, bias, _ = problem(3)
    assert torch.equal(*(adapted(t, weight, bias, detach=detach) for detach in (False, True)))


def test_detaching_the_norm_changes_the_direction_of_the_gradient():
    t, weight, bias, grad = problem(3)
    outputs = [adapted(t, weight, bias, detach=detach) for detach in (False, True)]
    attached, detached = (gradients(output, [t["a"], t["b"]], grad) for output in outputs)
    cosine = torch.cosine_similarity(attached[1].flatten(), detached[1].flatten(), dim=0)
    assert cosine < 0.99


def test_a_row_of_zeros_stays_zero_and_gives_no_nan():
    t, weight, _, grad = problem(4)
    weight[0] = 0
    with torch.no_grad():
        t["b"][:, 0] = 0
        t["m"][:, 0] = 0
    output = adapted(t, weight, None, detach=False)
    assert not output[..., 0].any()
    assert all(g.isfinite().all() for g in gradients(output, list(t.values()), grad))


@pytest.mark.parametrize("magnitudes", [False, True])
def test_a_bf16_base_gives_bf16_outputs_and_fp32_gradients_close_to_an_fp32_base(magnitudes):
    t, weight, _, grad = problem(5, rows=64, dtype=torch.float32)

    def run(dtype):
        return adapted(
            {**t, "x": t["x"].to(dtype)}, weight.bfloat16().to(dtype), None, detach=False if magnitudes else None
        )

    low, full = run(torch.bfloat16), run(torch.float32)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), full, rtol=2e-2, atol=2e-1)
    wanted = [t["a"], t["b"]]
    mine, reference = gradients(low, wanted, grad.bfloat16()), gradients(full, wanted, grad)
    for one, other in zip(mine, reference, strict=True):
        assert one.dtype == torch.float32
        assert torch.cosine_similarity(one.flatten(), other.flatten(), dim=0) > 0.999
