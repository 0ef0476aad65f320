"""Arm-steps per CPU second of the paired layer, as multiples of separate PEFT runs.

Writes benchmarks/training.json and prints it. A step is forward, backward and AdamW on the shipped base with DoRA of
rank 16 and 108 latents. For each batch size, PEFT trains one arm on the library's own modules and one on the norms of
`eisbach.models.closed_form`, which this project uses; the paired layer trains 1, 2, 4 and 8 arms. All are measured in
turn, in several rounds of one process, so that other load on the machine slows all of them; the minimum CPU time over
the rounds counts.
"""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

from eisbach.pipeline import command

if __name__ == "__main__":
    command.parser(__doc__).parse_args()  # before the imports that take seconds

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from eisbach.adapters.paired import PairedAdapters, targets
from eisbach.models import closed_form, small
from eisbach.models.conditioning import dit_inputs
from eisbach.pipeline.files import replacing

ARMS, BATCHES, ROUNDS, RANK, LENGTH = (1, 2, 4, 8), (2, 4, 8), 3, 16, 108
RESULT = Path(__file__).with_suffix(".json")


def step(model: nn.Module, optimizers: list[torch.optim.Optimizer], batch: int, arms: int) -> None:
    """One training step of `arms` arms stacked along the batch, on the same fixed noise."""
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
    """The shipped model with the norms of `closed_form`."""
    model = small.load()
    closed_form.use(model.model.model)
    return model


def separate(model: nn.Module, batch: int) -> Callable[[], None]:
    """A function that takes one training step of one arm with PEFT."""
    dit = model.model.model
    config = LoraConfig(r=RANK, lora_alpha=RANK, use_dora=True, target_modules=targets(dit))
    inject_adapter_in_model(config, dit)
    optimizer = torch.optim.AdamW([p for p in dit.parameters() if p.requires_grad], fused=True)
    return lambda: step(model, [optimizer], batch, 1)


def paired(batch: int, arms: int) -> Callable[[], None]:
    """A function that takes one training step of `arms` arms in one pass."""
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
    """Arm-steps per CPU second of PEFT and of the paired layer by number of arms, and the ratios to PEFT."""
    runs = {"peft": (1, separate(small.load(), batch)), "peft, closed form": (1, separate(base(), batch))}
    runs |= {str(arms): (arms, paired(batch, arms)) for arms in ARMS}
    for _, run in runs.values():
        run()  # the first step allocates
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
    command.run(main)
