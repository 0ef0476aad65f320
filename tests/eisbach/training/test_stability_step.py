"""Our training step against `training_step` of Stability's own training wrapper, on a checkpoint in its layout."""

from dataclasses import replace

import pytest
import torch

from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.sa3_format import export_adapter
from eisbach.inference.generate import written
from eisbach.models import released
from eisbach.training.draws import draw
from eisbach.training.loop import finetune
from eisbach.weighting import make
from tests import checkpoints, stability_trainer
from tests.settings import PARAMS

RECIPE = replace(
    PARAMS.finetune,
    adapter="dora",
    rank=4,
    alpha=4.0,
    batch=4,
    steps=1,
    lr=1e-4,
    cfg_dropout=0.0,
    ot_coupling=True,
    silence_extension=0.3,
    inpainting=(0.4, 0.2, 0.4),
    context_loss=1.0,
    conditioner=True,
)


@pytest.fixture(scope="module")
def data(released_folder):
    """Four clips of three lengths, with text states in fp32, as Stability's conditioner gives them."""
    model = released.load(released_folder, accept=checkpoints.NARROWED)
    clips = written(model, ["a slow piano", "drums", "a choir", "rain"], 3.0)
    seconds, generator = [3.0, 2.0, 2.5, 3.0], torch.Generator().manual_seed(3)
    length = clips.latents.shape[-1]
    valid = torch.tensor([-(-round(one * 44100) // 4096) for one in seconds])
    latents = torch.randn(clips.latents.shape, generator=generator)
    named = clips.clips.assign(seconds=seconds, contrast_class="middle")
    return replace(clips, clips=named, latents=latents, mask=torch.arange(length) < valid.unsqueeze(1))


@pytest.fixture
def loss_and_gradients(released_folder, data, tmp_path):
    """(seed, settings) -> (loss, gradients by our names) of our step, and of theirs from the same adapter and draws."""

    def of(seed, settings):
        ours = released.load(released_folder, accept=checkpoints.NARROWED)
        adapters = PairedAdapters(
            ours.model.model,
            ["a"],
            settings.adapter,
            4,
            4.0,
            conditioner=ours.conditioner,
            train_conditioner=settings.conditioner,
        )
        found = {}
        for name, parameter in adapters.parameters("a").items():
            with torch.no_grad():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7)))
            parameter.register_hook(lambda grad, name=name: found.update({name: grad.clone()}))
        adapters.save("a", tmp_path / f"{seed}")
        export_adapter(tmp_path / f"{seed}", tmp_path / f"{seed}.safetensors")
        (record,) = finetune(ours, adapters, {"a": make("baseline")}, data, settings, seed)
        theirs = checkpoints.by_stability(released_folder)
        trainer = stability_trainer.wrapper(theirs, settings, tmp_path / f"{seed}.safetensors")
        loss = stability_trainer.step(trainer, draw(data, settings, seed, 0).clips, seed, 0)
        loss.backward()
        return (record["objective"], found), (loss.item(), stability_trainer.gradients(trainer))

    return of


CHANGES = [
    {},
    {"context_loss": 0.0},
    {"context_loss": 0.3},
    {"adapter": "lora"},
    {"inpainting": (0.0, 1.0, 0.0)},
    {"inpainting": (1.0, 0.0, 0.0)},
    {"silence_extension": 0.0, "ot_coupling": False},
    {"crop_seconds": 1.5},
    {"cfg_dropout": 1.0},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_loss_and_gradient_are_those_of_stability_s_training_step(loss_and_gradients, seed, change):
    (loss, gradients), (wanted, theirs) = loss_and_gradients(seed, replace(RECIPE, **change))
    assert loss == pytest.approx(wanted, rel=1e-5)
    assert gradients.keys() == theirs.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-3, atol=1e-5, msg=name)


def test_the_context_loss_takes_part(loss_and_gradients):
    with_context, without = (loss_and_gradients(0, replace(RECIPE, context_loss=one))[0][0] for one in (1.0, 0.0))
    assert with_context > 1.05 * without
