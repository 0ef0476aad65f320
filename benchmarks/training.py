"""`python -m benchmarks.training`: arm-steps per second of the paired layer against separate PEFT runs, as ratios.

The shipped base, DoRA of rank 16, 108 latents; forward, backward and AdamW. For each batch size, PEFT trains one arm on
the library's own modules and one on the norms of `eisbach.models.closed_form`, as this project trains; then the paired
layer trains 1, 2, 4 and 8 arms, round after round in one process, so that whoever else uses the machine slows all of
them; the least CPU time of the rounds counts. Written to training.json beside this file.
"""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from eisbach.adapters.paired import PairedAdapters, targets
from eisbach.files import replacing
from eisbach.models import closed_form, small
from eisbach.models.conditioning import dit_inputs

ARMS, BATCHES, ROUNDS, RANK, LENGTH = (1, 2, 4, 8), (2, 4, 8), 3, 16, 108
RESULT = Path(__file__).with_suffix(".json")


def step(model: nn.Module, optimizers: list[torch.optim.Optimizer], batch: int, arms: int) -> None:
    """One training step of all arms on the same fixed draw."""
    generator = torch.Generator().manual_seed(0)
    noisy = torch.randn(batch, model.io_channels, LENGTH, generator=generator)
    states = torch.randn(batch, 80, 384, generator=generator)
    inputs = dit_inputs(model, states, torch.ones(batch, 80, dtype=torch.bool), torch.full((batch,), 10.0), LENGTH)
    inputs = {name: torch.cat([value] * arms) for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    t = torch.full((arms * batch,), 0.5)
    output = model.model(torch.cat([noisy] * arms), t, **inputs, use_checkpointing=False)
    (output.square().mean() * arms).backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def base() -> nn.Module:
    model = small.load()
    closed_form.use(model.model.model)
    return model


def separate(model: nn.Module, batch: int) -> Callable[[], None]:
    """A step of one arm under PEFT."""
    dit = model.model.model
    config = LoraConfig(r=RANK, lora_alpha=RANK, use_dora=True, target_modules=targets(dit))
    inject_adapter_in_model(config, dit)
    optimizer = torch.optim.AdamW([p for p in dit.parameters() if p.requires_grad], fused=True)
    return lambda: step(model, [optimizer], batch, 1)


def paired(batch: int, arms: int) -> Callable[[], None]:
    """A step of `arms` arms in one pass."""
    model = base()
    names = [f"arm{index}" for index in range(arms)]
    adapters = PairedAdapters(model.model.model, names, "dora", RANK, float(RANK))
    adapters.activate(*names)
    optimizers = [torch.optim.AdamW(adapters.parameters(name).values(), fused=True) for name in names]
    return lambda: step(model, optimizers, batch, arms)


def cpu_seconds(run: Callable[[], None]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def measure(batch: int) -> dict[str, float]:
    """Arm-steps per CPU second: PEFT's, the paired layer's by number of arms, and their ratios to PEFT's."""
    runs = {"peft": (1, separate(small.load(), batch)), "peft, closed form": (1, separate(base(), batch))}
    runs |= {str(arms): (arms, paired(batch, arms)) for arms in ARMS}
    for _, run in runs.values():
        run()  # allocations of the first step
    best = {name: float("inf") for name in runs}
    for _ in range(ROUNDS):
        for name, (arms, run) in runs.items():
            best[name] = min(best[name], cpu_seconds(run) / arms)
    rates = {name: 1 / seconds for name, seconds in best.items()}
    ratios = {
        f"ratio to {other}": {name: rates[name] / rates[other] for name in map(str, ARMS)}
        for other in ("peft", "peft, closed form")
    }
    return {"arm_steps_per_cpu_second": rates, **ratios}


def main() -> None:
    result = {f"batch {batch}": measure(batch) for batch in BATCHES}
    result["machine"] = {
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    with replacing(RESULT) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n")
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
