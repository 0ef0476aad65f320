"""The adapters of a run: those that `finetune` trains and the imported ones, for the stages that use them."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from eisbach.adapters import imported
from eisbach.adapters.merged import merged, without_adapters
from eisbach.adapters.paired import PairedAdapters
from eisbach.pipeline import paths
from eisbach.pipeline.arm_check import BASE, taken_names
from eisbach.pipeline.params import Params
from eisbach.pipeline.stages import loading
from eisbach.training.arms import arms


def untrained(params: Params, seed: int) -> tuple[nn.Module, PairedAdapters]:
    """The base, and the untrained adapters of params.finetune.arms with the initial values of `seed`."""
    model, settings = loading.base(params), params.finetune
    adapters = PairedAdapters(
        model.model.model,
        settings.arms,
        settings.adapter,
        settings.rank,
        settings.alpha,
        seed,
        norm_gradient=settings.norm_gradient,
        conditioner=model.conditioner,
        train_conditioner=settings.conditioner,
        rounding=params.model.rounding,
    )
    return model, adapters


def initial(params: Params, seed: int) -> tuple[nn.Module, PairedAdapters]:
    """`untrained`, or with every arm set to the adapter that params.finetune.init_from names.

    Raises UserError when it does not fit the model and the settings.
    """
    model, adapters = untrained(params, seed)
    if source := params.finetune.init_from:
        adapters.start_from(imported.read(source), source)
    return model, adapters


def arm_names(params: Params) -> list[str]:
    """The arms to measure: those of params.finetune, the untrained model `base`, then the imported ones.

    Raises UserError when an imported adapter has the name of another arm or of a weighting: its outcomes would be
    mistaken for those of that arm or of a control.
    """
    return [*params.finetune.arms, BASE, *imported.files(params.imported, taken_names(params.finetune))]


def check(adapters: PairedAdapters, params: Params, seed: int) -> list[str]:
    """The names of `arm_names`, when the adapter of each can be used; call it before the first arm costs any work.

    Raises UserError naming the file that is missing, is no adapter, does not fit the model or is not finite.
    """
    names = arm_names(params)
    for arm in names:
        with use_adapter(adapters, arm, params, seed):
            pass
    return names


def label(params: Params, arm: str) -> dict[str, object]:
    """The columns `lam` and `adapter` of an arm's outcomes; `lam` is NaN for an arm without a known lambda."""
    if arm in params.finetune.arms:
        return {"lam": arms(params.finetune)[arm].lam, "adapter": params.finetune.adapter}
    if arm == BASE:
        return {"lam": math.nan, "adapter": "none"}
    return {"lam": math.nan, "adapter": imported.read(_imported_file(params, arm)).kind}


@contextmanager
def use_adapter(adapters: PairedAdapters, arm: str, params: Params, seed: int, strength: float = 1.0) -> Iterator[None]:
    """Run the DiT with only the adapter of `arm`, at `strength` times its change, then restore it.

    The adapter is the one that `finetune` saved for `seed`, or the imported file of that name; `base` has none.
    """
    if arm == BASE:
        with without_adapters(adapters):
            yield
        return
    if arm in params.finetune.arms:
        folder = paths.ADAPTERS / str(seed) / arm
        if not folder.is_dir():
            raise paths.missing(folder)
        adapters.load(arm, folder)
        with merged(adapters, arm, strength):
            yield
    else:
        with imported.use_adapter(adapters, _imported_file(params, arm), strength):
            yield


def _imported_file(params: Params, arm: str) -> Path:
    return imported.files(params.imported, set())[arm]
