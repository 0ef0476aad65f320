"""stable-audio-tools' own modules are the oracle."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stable_audio_tools.models.transformer import RMSNorm, RotaryEmbedding, apply_rotary_pos_emb

from eisbach.adapters.paired import PairedAdapters
from eisbach.models import closed_form
from eisbach.models.closed_form import Norm
from eisbach.models.velocity import predict


def normal(shape, seed, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def norm(width, seed, dtype=torch.float64):
    module = RMSNorm(width, eps=1e-6).to(dtype).requires_grad_(False)
    module.gamma.copy_(normal((width,), seed + 1, dtype))
    return module


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(16, 40), st.booleans(), st.floats(-12, 3))
def test_norm_and_rotation_equal_the_library_s(seed, length, half_width, rotated, magnitude):
    """From signals far below eps to large ones, and with channels that are not rotated."""
    width = 2 * half_width
    own, theirs = norm(width, seed), norm(width, seed)
    rotary = RotaryEmbedding(32) if rotated else None  # its angles are fp32 in both
    x = (10**magnitude * normal((2, 3, length, width), seed)).requires_grad_()
    grad = normal(x.shape, seed + 2)
    wanted = theirs(x)
    if rotated:
        wanted = apply_rotary_pos_emb(wanted, rotary.forward_from_seq_len(length)[0])
    ours = Norm(own, rotary)(x)
    torch.testing.assert_close(ours, wanted, rtol=1e-6, atol=1e-7)
    (ours_back,), (wanted_back,) = (torch.autograd.grad(y, [x], grad) for y in (ours, wanted))
    torch.testing.assert_close(ours_back, wanted_back, rtol=1e-5, atol=1e-6 * wanted_back.abs().max().item())


@pytest.mark.parametrize("rotary", [None, RotaryEmbedding(32)])
def test_gradients_agree_with_finite_differences(rotary):
    x = normal((2, 3, 40), 0).requires_grad_()
    module = Norm(norm(40, 0), rotary)
    assert torch.autograd.gradcheck(lambda value: module(value), (x,))


def test_bf16_is_rounded_once_from_fp32():
    module = Norm(norm(64, 0, torch.bfloat16), RotaryEmbedding(32))
    x = normal((2, 7, 64), 0).bfloat16()
    wide = Norm(norm(64, 0, torch.bfloat16).float(), RotaryEmbedding(32))(x.float())
    assert torch.equal(module(x), wide.bfloat16())


def test_a_whole_model_keeps_its_velocity_and_the_gradients_of_its_adapters(tiny_model, tiny_archive):
    clips = tiny_archive.rows(torch.arange(4))
    noisy, t = normal(clips.latents.shape, 3, torch.float32), torch.tensor([0.1, 0.4, 0.7, 1.0])
    results = []
    for change in (lambda dit: None, closed_form.use):
        model = copy.deepcopy(tiny_model)
        change(model.model.model)
        adapters = PairedAdapters(model.model.model, ["a"], "dora", 4, 4.0)
        velocity = predict(model, noisy, t, clips)
        velocity.square().mean().backward()
        results.append((velocity.detach(), {name: p.grad for name, p in adapters.parameters("a").items()}))
    (velocity, grads), (ours, our_grads) = results
    torch.testing.assert_close(ours, velocity, rtol=1e-5, atol=1e-5)
    for name, grad in grads.items():
        torch.testing.assert_close(our_grads[name], grad, rtol=1e-4, atol=1e-5 * grad.abs().max().item() + 1e-8)


def test_every_norm_of_the_architecture_is_replaced(tiny_model):
    before = sum(isinstance(module, RMSNorm) for module in tiny_model.modules())
    closed_form.use(tiny_model.model.model)
    assert before > 0
    assert sum(isinstance(module, Norm) for module in tiny_model.modules()) == before
    attention = tiny_model.model.model.transformer.layers[0]
    assert attention.self_attn.q_norm.rotary is attention.self_attn.k_norm.rotary is not None
    assert attention.cross_attn.q_norm.rotary is None


def test_a_trainable_norm_is_refused(tiny_model):
    tiny_model.model.model.transformer.layers[0].pre_norm.gamma.requires_grad_()
    with pytest.raises(ValueError, match="freeze the model first"):
        closed_form.use(tiny_model.model.model)
