"""A good adapter of three layers, as tensors and settings to be damaged, and the modules that it fits."""

import torch
from torch import nn

from eisbach.adapters.kinds import TENSORS
from eisbach.adapters.sa3_format import FROM_SA3
from eisbach.adapters.stored import CONDITIONER

RANK, OUT, WIDTH = 2, 5, 6
LAYERS = ("transformer.project_in", "transformer.project_out", "conditioners.seconds_total.embedder.embedding.1")


class Named(nn.Module):
    """A tree of Linear layers by their dotted names."""

    def __init__(self, names):
        super().__init__()
        for name in names:
            module = self
            *path, last = name.split(".")
            for part in path:
                if not hasattr(module, part):
                    module.add_module(part, nn.Module())
                module = getattr(module, part)
            module.add_module(last, nn.Linear(WIDTH, OUT))


def modules():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dit, conditioner = Named(LAYERS[:2]), Named(LAYERS[2:])
    return {"": dit.requires_grad_(False), CONDITIONER: conditioner.requires_grad_(False)}


def size(part, kind):
    columns = part == "magnitude_c" or (part == "magnitude" and kind.startswith("dora-cols"))
    sizes = {"lora_A": (RANK, WIDTH), "lora_B": (OUT, RANK), "M_xs": (RANK, RANK)}
    return sizes.get(part, (WIDTH if columns else OUT,))


def good(kind, seed):
    """Tensors by Stability's names and settings of an adapter of three layers."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for layer in LAYERS:
        prefix = "" if layer.startswith(CONDITIONER) else "model."
        for theirs, ours in FROM_SA3.items():
            if ours in TENSORS[kind]:
                name = f"{prefix}{layer}.parametrizations.weight.0.{theirs}"
                tensors[name] = 0.5 + torch.rand(size(theirs, kind), generator=generator)
    return tensors, {"rank": RANK, "alpha": 3.0, "adapter_type": "dora-rows" if kind == "dora" else kind}
