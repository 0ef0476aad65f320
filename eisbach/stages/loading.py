"""The model that a run's params name, with or without the adapters of its arms."""

from torch import nn

from eisbach.adapters.paired import PairedAdapters
from eisbach.models import closed_form, small
from eisbach.params import Params


def base(params: Params) -> nn.Module:
    model = small.load(params.base.folder or small.BASE)
    closed_form.use(model.model.model)
    return model


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
