"""A training step of two paired arms on random weights of Stable Audio 3 Medium's full shape: memory and time."""

import resource
import time

import pytest
import torch
from stable_audio_tools.models.blocks import ExpoFourierFeatures
from stable_audio_tools.models.dit import DiffusionTransformer
from stable_audio_tools.models.transformer import RotaryEmbedding

from eisbach.adapters.paired import PairedAdapters
from eisbach.models import closed_form
from eisbach.objective import objective
from eisbach.weighting import make

MEDIUM = {
    "io_channels": 256,
    "embed_dim": 1536,
    "depth": 24,
    "num_heads": 24,
    "cond_token_dim": 768,
    "global_cond_dim": 768,
    "local_add_cond_dim": 257,
    "transformer_type": "continuous_transformer",
    "global_cond_type": "adaLN",
    "timestep_features_type": "expo",
    "timestep_features_dim": 256,
    "diffusion_objective": "rectified_flow",
    "num_memory_tokens": 64,
    "norm_type": "rms_norm",
    "attn_kwargs": {"qk_norm": "rms", "differential": True},
    "ff_kwargs": {"mult": 4},
}
LATENTS, TOKENS = 256, 257


def medium() -> DiffusionTransformer:
    """The DiT in bf16, built without a second copy in memory; buffers outside the state dict are computed again."""
    with torch.device("meta"):
        dit = DiffusionTransformer(**MEDIUM).bfloat16()
    dit.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in dit.named_parameters():
            if name.endswith(("gamma", "bias")):
                parameter.fill_(float(name.endswith("gamma")))
            else:
                parameter.normal_(std=0.02, generator=generator)
    for name, module in list(dit.named_modules()):
        parent, _, child = name.rpartition(".")
        if isinstance(module, RotaryEmbedding):
            setattr(dit.get_submodule(parent), child, RotaryEmbedding(2 * len(module.inv_freq)))
        if isinstance(module, ExpoFourierFeatures):
            setattr(dit.get_submodule(parent), child, ExpoFourierFeatures(256, 0.5, 10000.0))
    for buffer in dit.buffers():
        assert buffer.isfinite().all()
    return dit.requires_grad_(False)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("checkpointing", [True, False])  # the smaller first: the peak is the process's
def test_a_step_of_two_arms_on_the_full_shape_needs_less_than_24_gb(capsys, checkpointing):
    dit = medium()
    closed_form.use(dit)
    assert sum(parameter.numel() for parameter in dit.parameters()) == pytest.approx(1_453_170_176, rel=1e-3)
    weightings = {"baseline": make("baseline"), "barrier": make("barrier", lam=0.5)}
    adapters = PairedAdapters(dit, weightings, "dora", 16, 16.0)
    assert len(adapters.layers) == 228
    assert sum(p.numel() for p in adapters.parameters("barrier").values()) == pytest.approx(21.57e6, rel=1e-3)
    adapters.activate(*weightings)
    optimizers = [torch.optim.AdamW(adapters.parameters(arm).values(), lr=5e-5) for arm in weightings]
    generator = torch.Generator().manual_seed(1)
    data, noise = torch.randn(2, 1, 256, LATENTS, generator=generator)
    t = torch.tensor([0.5])
    start = time.perf_counter(), time.process_time()
    output = dit(
        ((1 - t) * data + t * noise).repeat(2, 1, 1),
        t.repeat(2),
        cross_attn_cond=torch.randn(1, TOKENS, 768, generator=generator).repeat(2, 1, 1),
        global_embed=torch.randn(1, 768, generator=generator).repeat(2, 1),
        local_add_cond=torch.zeros(2, 257, LATENTS),
        use_checkpointing=checkpointing,
    )
    losses = [
        objective(own, noise - data, t, None, weighting)[0]
        for own, weighting in zip(output.unflatten(0, (2, -1)), weightings.values(), strict=True)
    ]
    torch.stack(losses).sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with capsys.disabled():
        print(f"\ncheckpointing {checkpointing}: {cpu:.0f} CPU-s, {wall:.0f} s, peak {peak:.1f} GB")
    assert all(loss.isfinite() for loss in losses)
    assert peak < 24
    for arm in weightings:
        assert adapters.delta_norm(arm) > 0
