"""The cost of the barrier in a training step, in CPU time.

Writes benchmarks/barrier.json and prints the table of docs/barrier.md. The step is a whole training step of the shipped
small model: forward, loss, backward and AdamW on a DoRA of rank 16 over every layer, batch 4. For 256 channels the
model gets wider input and output layers with random weights, which do not affect the time. One thread, medians over
rounds; each round measures the step and every factor in the same process, so a busy machine changes the times but
hardly their ratios.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from eisbach.pipeline import command

if __name__ == "__main__":
    command.parser(__doc__).parse_args()  # before the imports that take seconds

import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks.precision import naive_gap
from eisbach import flow
from eisbach.adapters.paired import PairedAdapters
from eisbach.barrier import barrier_factor
from eisbach.data.latents import Latents
from eisbach.models import small
from eisbach.models.velocity import predict
from eisbach.objective import per_sample_loss
from eisbach.pipeline.files import replacing
from eisbach.pipeline.progress import track
from eisbach.seeds import torch_generator

BATCH = 4
CHANNELS = (64, 256)
POSITIONS = (108, 432, 1292, 4096)
ROUNDS = {108: 11, 432: 5, 1292: 3, 4096: 1}
RESULT = Path(__file__).with_suffix(".json")


def model_with(channels: int) -> nn.Module:
    """The shipped small model, or a random one of its shape with another number of latent channels."""
    config = json.loads((small.BASE / "model_config.json").read_text())
    if channels == config["model"]["io_channels"]:
        return small.load()
    config["model"]["io_channels"] = config["model"]["diffusion"]["config"]["io_channels"] = channels
    config["model"]["diffusion"]["config"]["local_add_cond_dim"] = channels + 1
    config["model"]["pretransform"]["config"]["channels"] = channels
    return small.build(config).eval().requires_grad_(False)


def clips(channels: int, positions: int) -> Latents:
    """A batch of noise `[BATCH, channels, positions]` in the archive's form, with captions of the maximum length."""
    generator = torch_generator(0, "benchmark", channels, positions)
    return Latents(
        pd.DataFrame({"seconds": [positions * 4096 / 44100] * BATCH}),
        torch.randn(BATCH, channels, positions, generator=generator),
        torch.ones(BATCH, positions, dtype=torch.bool),
        torch.randn(BATCH, 80, 384, generator=generator),
        torch.ones(BATCH, 80, dtype=torch.bool),
        torch.randn(BATCH, 384, generator=generator),
    )


def training_step(model: nn.Module, adapters: PairedAdapters, data: Latents) -> Callable[[], None]:
    """A function that takes one training step without the barrier."""
    optimizer = torch.optim.AdamW(adapters.parameters("arm").values(), lr=1e-6, fused=True)
    noise = torch.randn(data.latents.shape, generator=torch_generator(0, "benchmark noise"))
    t = torch.linspace(0.1, 0.9, BATCH)
    noisy, target = flow.interpolate(data.latents, noise, t), flow.velocity(data.latents, noise)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        per_sample_loss(predict(model, noisy, t, data), target).mean().backward()
        optimizer.step()

    return step


def naive_factor(output: Tensor, lam: float) -> Tensor:
    """Eq. 1-5 as printed, in the output's dtype, with the usual clamp: `[B, C, T]` -> factor `[B]`."""
    weight = 1 / (1 - naive_gap(output).clamp(min=1e-6).log())
    return (1 - lam) + lam * weight


def cpu_milliseconds(call: Callable[[], object], times: int) -> float:
    """Mean CPU time of one call over `times` calls."""
    start = time.process_time()
    for _ in range(times):
        call()
    return 1e3 * (time.process_time() - start) / times


def measure(step: Callable[[], None], output: Tensor, rounds: int) -> list[dict]:
    """One row per dtype: medians over `rounds`, each of which times the step and every factor on `output` [B, C, T]."""
    outputs = {"float32": output, "bfloat16": output.bfloat16()}
    factors = {"barrier": barrier_factor, "naive": naive_factor}
    taken = {"step": [], **{(dtype, name): [] for dtype in outputs for name in factors}}
    step()
    for _ in range(rounds):
        taken["step"].append(cpu_milliseconds(step, 1))
        for dtype, values in outputs.items():
            for name, factor in factors.items():
                taken[dtype, name].append(cpu_milliseconds(lambda f=factor, y=values: f(y, 0.5), 10))
    median = {key: statistics.median(values) for key, values in taken.items()}
    return [
        {
            "dtype": dtype,
            "channels": output.shape[1],
            "positions": output.shape[2],
            "step_ms": median["step"],
            "barrier_ms": median[dtype, "barrier"],
            "naive_ms": median[dtype, "naive"],
            "barrier_share_of_step": median[dtype, "barrier"] / median["step"],
        }
        for dtype in outputs
    ]


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for channels in CHANNELS:
        model = model_with(channels)
        adapters = PairedAdapters(model.model.model, ["arm"], "dora", rank=16, alpha=16.0)
        adapters.activate("arm")
        for positions in track(POSITIONS, f"{channels} channels", len(POSITIONS)):
            data = clips(channels, positions)
            rows += measure(training_step(model, adapters, data), data.latents, ROUNDS[positions])
    made_with = {"torch": torch.__version__, "python": platform.python_version(), "threads": 1, "batch": BATCH}
    with replacing(RESULT) as temporary:
        temporary.write_text(json.dumps({"made_with": made_with, "rows": rows}, indent=1) + "\n")
    print(table(rows))


def table(rows: list[dict]) -> str:
    """A Markdown table with one line per size."""
    lines = [
        "| C | T | training step, ms | barrier, ms (fp32 / bf16) | naive, ms (fp32 / bf16) | barrier / step |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for wide, narrow in zip(rows[::2], rows[1::2], strict=True):
        lines.append(
            f"| {wide['channels']} | {wide['positions']} | {wide['step_ms']:.0f} "
            f"| {wide['barrier_ms']:.2f} / {narrow['barrier_ms']:.2f} "
            f"| {wide['naive_ms']:.2f} / {narrow['naive_ms']:.2f} "
            f"| {100 * wide['barrier_share_of_step']:.2f} % / {100 * narrow['barrier_share_of_step']:.2f} % |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    command.run(main)
