"""The model and the adapters that params.yaml names, for the stages that need them."""

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
    """The model that params.model names, frozen, its norms in closed form.

    An empty source names the shipped model; any other source holds a small or a released checkpoint. Raises the
    UserErrors of `hub.locate`, `small.load` and `released.load`.
    """
    model = _load(params.model)
    closed_form.use(model.model.model)
    return model


def _load(settings: Model) -> nn.Module:
    if not settings.source:
        return small.load()
    checkpoint = hub.locate(settings.source, settings.revision)
    if small.is_small_config(checkpoint.config()):
        weights = checkpoint.file(hub.WEIGHTS)
        hub.verify_sha256(weights, settings.sha256)
        return small.load(weights.parent)
    return released.load(
        settings.source,
        revision=settings.revision,
        sha256=settings.sha256,
        accept=settings.accept,
        device=settings.device,
        dtype=getattr(torch, settings.dtype),
    )


def weights(params: Params) -> Path:
    """The file from which `base` reads the weights."""
    return hub.locate(params.model.source or small.BASE, params.model.revision).file(hub.WEIGHTS)


def arms(params: Params, seed: int) -> tuple[nn.Module, PairedAdapters]:
    """The base, and the untrained adapters of params.finetune.arms with the initial values of `seed`."""
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
    """The arms with a trained adapter: those of params.finetune, then the imported ones.

    Raises UserError when an imported adapter has the name of another arm or of a weighting: its outcomes would be
    mistaken for those of that arm or of a control.
    """
    taken = {*params.finetune.arms, *weighting.names()}
    return [*params.finetune.arms, *imported.files(params.imported, taken)]


def label(params: Params, arm: str) -> dict[str, object]:
    """The columns `lam` and `adapter` of an arm's outcomes; `lam` is NaN for an arm without a known lambda."""
    if arm in params.finetune.arms:
        return {"lam": trained_arms(params.finetune)[arm].lam, "adapter": params.finetune.adapter}
    return {"lam": math.nan, "adapter": sa3_format.read(_imported_file(params, arm)).kind}


@contextmanager
def use_adapter(adapters: PairedAdapters, arm: str, params: Params, seed: int) -> Iterator[None]:
    """Run the DiT with only the adapter of `arm`, then restore it.

    The adapter is the one that `finetune` saved for `seed`, or the imported file of that name.
    """
    if arm in params.finetune.arms:
        adapters.load(arm, paths.ADAPTERS / str(seed) / arm)
        with merged(adapters, arm):
            yield
    else:
        with imported.use_adapter(adapters, _imported_file(params, arm)):
            yield


def _imported_file(params: Params, arm: str) -> Path:
    return imported.files(params.imported, set())[arm]
