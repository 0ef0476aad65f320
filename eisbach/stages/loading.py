"""The model that a run's params name, with or without the adapters of its arms."""

import torch
from torch import nn

from eisbach.adapters.paired import PairedAdapters
from eisbach.models import hub, sa3, small
from eisbach.params import Params


def base(params: Params) -> nn.Module:
    """The model that params.model names: the shipped one, one like it, or a released one."""
    settings = params.model
    if not settings.source:
        return small.load()
    home = hub.place(settings.source, settings.revision)
    if small.is_like(home.config()):
        return small.load(home.source)
    return sa3.load(
        settings.source,
        revision=settings.revision,
        sha256=settings.sha256,
        accept=settings.accept,
        device=settings.device,
        dtype=getattr(torch, settings.dtype),
    )


def arms(params: Params, seed: int) -> tuple[nn.Module, PairedAdapters]:
    """The base and one adapter per arm, untrained: as `seed` draws them."""
    model, settings = base(params), params.finetune
    adapters = PairedAdapters(
        model.model.model,
        settings.arms,
        settings.adapter,
        settings.rank,
        settings.alpha,
        seed,
        norm_gradient=settings.norm_gradient,
    )
    return model, adapters
