"""The model that a run's params name, with or without the adapters of its arms."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from eisbach import weighting
from eisbach.adapters import imported, sa3_format
from eisbach.adapters.merged import merged
from eisbach.adapters.paired import PairedAdapters
from eisbach.models import closed_form, hub, released, small
from eisbach.pipeline import paths
from eisbach.pipeline.params import Model, Params
from eisbach.training.arms import arms as trained_arms


def base(params: Params) -> nn.Module:
    """The model that params.model names: the shipped one, one like it, or a released one."""
    model = _loaded(params.model)
    closed_form.use(model.model.model)
    return model


def _loaded(settings: Model) -> nn.Module:
    if not settings.source:
        return small.load()
    home = hub.place(settings.source, settings.revision)
    if small.is_like(home.config()):
        hub.verify(home.file(hub.WEIGHTS), settings.sha256)
        return small.load(home.file(hub.WEIGHTS).parent)
    return released.load(
        settings.source,
        revision=settings.revision,
        sha256=settings.sha256,
        accept=settings.accept,
        device=settings.device,
        dtype=getattr(torch, settings.dtype),
    )


def weights(params: Params) -> Path:
    """The file that `base` takes the weights from."""
    return hub.place(params.model.source or small.BASE, params.model.revision).file(hub.WEIGHTS)


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


def trained(params: Params) -> list[str]:
    """The arms that samples are made of and measured: those that `finetune` trains, then those of params.imported."""
    taken = {*params.finetune.arms, *weighting.names()}  # else a foreign file could stand for a control
    return [*params.finetune.arms, *imported.files(params.imported, taken)]


def label(params: Params, arm: str) -> dict[str, object]:
    """What the table of outcomes says of an arm: `lam`, NaN where it has none or it is not known, and `adapter`."""
    if arm in params.finetune.arms:
        return {"lam": trained_arms(params.finetune)[arm].lam, "adapter": params.finetune.adapter}
    return {"lam": math.nan, "adapter": sa3_format.read(imported.files(params.imported, set())[arm]).kind}


@contextmanager
def wearing(adapters: PairedAdapters, arm: str, params: Params, seed: int) -> Iterator[None]:
    """Let `arm` alone, as `finetune` left it for `seed` or as its file has it, shape the forward pass."""
    if arm in params.finetune.arms:
        adapters.load(arm, paths.ADAPTERS / str(seed) / arm)
        with merged(adapters, arm):
            yield
    else:
        with imported.worn(adapters, imported.files(params.imported, set())[arm]):
            yield
