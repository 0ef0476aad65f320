"""Stability's own training wrapper, which needs modules that do not install here but are never called in a step."""

import importlib
import importlib.machinery
import random
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from eisbach.adapters.sa3_format import FROM_SA3
from eisbach.seeds import derive, torch_generator

UNUSED = ("auraloss", "audiotools", "wandb", "webdataset", "torchaudio.prototype", "torchaudio.prototype.transforms")
KINDS = {"lora": "lora", "dora": "dora-rows"}  # our names of adapters -> its


class _Absent(ModuleType):
    """A module whose names can be imported; whoever calls one fails."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def module(name):
    """Import `stable_audio_tools.<name>` with empty modules in place of those in UNUSED that are missing."""
    added = []
    for missing in UNUSED:
        try:
            importlib.import_module(missing)
        except ImportError:
            sys.modules[missing] = _Absent(missing)
            sys.modules[missing].__path__ = []
            sys.modules[missing].__spec__ = importlib.machinery.ModuleSpec(missing, None)
            added.append(missing)
    try:
        return importlib.import_module(f"stable_audio_tools.{name}")
    finally:
        for missing in added:  # libraries look for these modules to see what is installed
            del sys.modules[missing]


def wrapper(model, settings, adapter=None):
    """Its training wrapper for pre-encoded latents with the recipe of `settings`. `adapter` is a file to start from.

    Its DiT draws the dropout of the prompt: only the shares 0 and 1 give what we draw.
    """
    from stable_audio_tools.models.lora.utils import load_lora_checkpoint

    trainer = module("training.diffusion").DiffusionCondTrainingWrapper(
        model,
        lr=settings.lr,
        mask_loss_weight=settings.context_loss,
        silence_extension_scale_seconds=settings.silence_extension,
        cfg_dropout_prob=settings.cfg_dropout,
        timestep_sampler="trunc_logit_normal",
        inpainting_config={"mask_kwargs": {"mask_type_probabilities": list(settings.inpainting)}},
        lora_config={"rank": settings.rank, "alpha": settings.alpha, "adapter_type": KINDS[settings.adapter]},
        lora_state_dict=load_lora_checkpoint(adapter)[0] if adapter else None,
        ot_coupling=settings.ot_coupling,
        pre_encoded=True,
        log_every_n_steps=10**9,
    )
    trainer._trainer = SimpleNamespace(optimizers=[SimpleNamespace(param_groups=[{"lr": settings.lr}])])
    return trainer


def step(trainer, clips, seed, index):
    """The loss of its `training_step` on `clips`, from the random numbers that step `index` of `seed` has here."""
    diffusion = module("training.diffusion")
    extend = diffusion.create_augmented_padding_mask

    def extended(*masks, **settings):
        with torch.random.fork_rng():
            torch.set_rng_state(torch_generator(seed, "silence", index).get_state())
            return extend(*masks, **settings)

    metadata = [
        {"prompt": caption, "seconds_total": seconds, "padding_mask": [mask]}
        for caption, seconds, mask in zip(clips.clips["caption"], clips.clips["seconds"], clips.mask, strict=True)
    ]
    with torch.random.fork_rng(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(diffusion, "create_augmented_padding_mask", extended)
        torch.set_rng_state(torch_generator(seed, "finetune", index).get_state())
        random.seed(derive(seed, "inpainting", index))
        return trainer.training_step((clips.latents, metadata), index)


def gradients(trainer):
    """The gradients of its adapter, by our names of the tensors."""
    model, found = trainer.diffusion, {}
    for part in (model.model, model.conditioner):
        for name, parameter in part.named_parameters():
            layer, mark, own = name.removeprefix("model.").rpartition(".parametrizations.weight.0.")
            if mark:
                found[f"{layer}.{FROM_SA3[own]}"] = parameter.grad
    return found
