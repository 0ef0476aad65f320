"""Savings of memory and time keep the loss, fp32 in every adapter, and, where a test says so, every bit."""

import copy
import threading
from dataclasses import replace

import pytest
import torch

from eisbach.adapters.paired import PairedAdapters, compile_blocks
from eisbach.models import closed_form
from eisbach.models.conditioning import dit_inputs
from eisbach.models.velocity import predict
from eisbach.training.loop import finetune
from eisbach.weighting import make
from tests.settings import PARAMS

SETTINGS = replace(PARAMS.finetune, rank=4, alpha=4.0, batch=3, steps=3, lr=1e-2)


def trained(model, archive, settings=SETTINGS, prepare=lambda dit: None):
    """Adapter states and records of two arms on a copy of `model`, its DiT changed by `prepare` first."""
    model = copy.deepcopy(model)
    closed_form.use(model.model.model)
    prepare(model.model.model)
    weightings = {"baseline": make("baseline"), "barrier": make("barrier", lam=0.5)}
    adapters = PairedAdapters(model.model.model, weightings, settings.adapter, settings.rank, settings.alpha)
    if settings.compile:
        compile_blocks(adapters.dit)
    records = list(finetune(model, adapters, weightings, archive, settings, 0))
    return {arm: adapters.state(arm) for arm in weightings}, records


def losses(records):
    return torch.cat([record["loss"] for record in records])


@pytest.mark.parametrize("adapter", ["dora", "lora"])
def test_checkpointing_changes_no_bit(tiny_model, tiny_archive, adapter):
    settings = replace(SETTINGS, adapter=adapter)
    plain, records = trained(tiny_model, tiny_archive, settings)
    lean, again = trained(tiny_model, tiny_archive, replace(settings, checkpointing=True))
    assert all(torch.equal(plain[arm][name], lean[arm][name]) for arm in plain for name in plain[arm])
    assert [record["objective"] for record in records] == [record["objective"] for record in again] != []


def test_a_backward_pass_in_another_thread_recomputes_the_active_arms(tiny_model, tiny_archive):
    """As on a GPU. The arms differ, so recomputing another arm would change the gradients."""
    adapters = PairedAdapters(tiny_model.model.model, ["a", "b"], "dora", 4, 4.0)
    for seed, arm in enumerate(("a", "b")):
        for parameter in adapters.parameters(arm).values():
            parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)))
    clips = tiny_archive.rows(torch.arange(2))
    adapters.activate("b")
    grads = []
    for call in (lambda run: run(), in_a_thread):
        output = tiny_model.model(clips.latents, torch.tensor([0.3, 0.8]), **inputs(tiny_model, clips))
        call(output.square().mean().backward)
        grads.append({name: parameter.grad.clone() for name, parameter in adapters.parameters("b").items()})
        for parameter in adapters.parameters("b").values():
            parameter.grad = None
    assert all(torch.equal(grads[0][name], grads[1][name]) for name in grads[0])


def inputs(model, clips):
    given = dit_inputs(model, clips.states.float(), clips.token_mask, clips.seconds, clips.latents.shape[-1])
    return {**given, "use_checkpointing": True}


def in_a_thread(run):
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def bf16(dit):
    for parameter in dit.parameters():
        parameter.data = parameter.data.bfloat16()


def test_a_bf16_base_trains_to_nearly_the_same_loss(tiny_model, tiny_archive):
    """bf16 has 8 bits: a velocity is off by about 1 %, its loss by at most a few."""
    _, records = trained(tiny_model, tiny_archive)
    _, rounded = trained(tiny_model, tiny_archive, prepare=bf16)
    torch.testing.assert_close(losses(rounded), losses(records), rtol=0.03, atol=0.0)


def test_a_bf16_base_trains_adapters_losses_and_factors_in_fp32(tiny_model, tiny_archive):
    states, rounded = trained(tiny_model, tiny_archive, prepare=bf16)
    assert all(tensor.dtype == torch.float32 for state in states.values() for tensor in state.values())
    moved = torch.cat([tensor.flatten() for tensor in states["barrier"].values()])
    assert not torch.equal(moved, moved.bfloat16().float())  # not bf16 values stored as fp32
    assert all(record["loss"].dtype == record["factor"].dtype == torch.float32 for record in rounded)


def test_an_adapter_below_bf16_s_precision_is_added_in_fp32(tiny_model):
    model = copy.deepcopy(tiny_model)
    bf16(model.model.model)
    adapters = PairedAdapters(model.model.model, ["a"], "lora", 4, 4.0)
    layer = next(iter(adapters.layers.values()))
    x = torch.randn(3, layer.weight.shape[1], generator=torch.Generator().manual_seed(0))
    layer.lora_B[0].data.fill_(1e-4)
    delta = (x.bfloat16().float() @ layer.lora_A[0].T @ layer.lora_B[0].T).detach()
    base, bias = torch.nn.functional.linear(x.bfloat16(), layer.weight), layer.base_layer.bias
    wanted = (base.float() + delta + bias.float()).bfloat16()
    assert not torch.equal(wanted, base + delta.bfloat16() + bias)
    assert torch.equal(layer.apply_to_rows(x.bfloat16()[None])[0], wanted)


def test_a_bf16_base_predicts_finite_velocities(tiny_model, tiny_archive):
    model = copy.deepcopy(tiny_model)
    bf16(model.model.model)
    PairedAdapters(model.model.model, ["a"], "lora", 4, 4.0)
    clips = tiny_archive.rows(torch.arange(2))
    assert predict(model, clips.latents, torch.tensor([0.3, 0.8]), clips).isfinite().all()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_compiled_blocks_train_the_same_up_to_rounding(tiny_model, tiny_archive):
    from torch._dynamo.utils import counters

    plain, records = trained(tiny_model, tiny_archive)
    counters.clear()
    compiled, again = trained(tiny_model, tiny_archive, replace(SETTINGS, compile=True))
    assert counters["frames"]["ok"] > 0  # torch falls back to eager mode silently when compilation fails
    torch.testing.assert_close(losses(again), losses(records), rtol=1e-4, atol=1e-5)
    for arm in plain:
        for name, tensor in plain[arm].items():
            torch.testing.assert_close(compiled[arm][name], tensor, rtol=1e-2, atol=2e-3)
