"""The model that params.yaml names, for the stages that need it."""

from pathlib import Path

import torch
from torch import nn

from eisbach.models import closed_form, hub, released, small
from eisbach.pipeline.params import Model, Params


def base(params: Params) -> nn.Module:
    """The model that params.model names, frozen, its norms in closed form.

    An empty source names the shipped model; any other source holds a small or a released checkpoint. Raises the
    UserErrors of `hub.locate`, `small.load` and `released.load`.
    """
    found = model(params.model)
    closed_form.use(found.model.model)
    return found


def model(settings: Model) -> nn.Module:
    """The model that `settings` name, as its loader leaves it. Raises the same errors."""
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


def name(params: Params) -> str:
    """The base as files name it: its source, with the revision of a name on the hub."""
    source = params.model.source or small.BASE.name
    return f"{source}@{params.model.revision}" if params.model.revision else source
