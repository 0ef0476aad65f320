import copy
from dataclasses import replace

import pytest
import torch

from eisbach.training.pretrain import kept_positions, learning_rate, pretrain
from tests.settings import PARAMS

SETTINGS = replace(PARAMS.pretrain, steps=6, batch=4, save_every=2, warmup_steps=2, lr=1e-3, inpainting=0.5, ema=0.9)


def run(model, data, path, stop=None):
    model = copy.deepcopy(model).requires_grad_(True)
    for record in pretrain(model, data, SETTINGS, path):
        if record["step"] == stop:
            break
    return model.state_dict()


def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, tiny_model, tiny_archive):
    whole = run(tiny_model, tiny_archive, tmp_path / "whole")
    run(tiny_model, tiny_archive, tmp_path / "killed", stop=4)  # saved after step 3
    resumed = run(tiny_model, tiny_archive, tmp_path / "killed")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_loss_falls_on_a_few_clips(tmp_path, tiny_model, tiny_archive):
    settings = replace(PARAMS.pretrain, steps=150, batch=8, save_every=1000, warmup_steps=5, lr=5e-3, inpainting=0.0)
    model = copy.deepcopy(tiny_model).requires_grad_(True)
    losses = [record["loss"] for record in pretrain(model, tiny_archive, settings, tmp_path / "state")]
    assert sum(losses[-30:]) < 0.8 * sum(losses[:30])


def test_the_learning_rate_rises_during_the_warm_up():
    assert learning_rate(0, SETTINGS) < learning_rate(1, SETTINGS) <= SETTINGS.lr


def test_the_learning_rate_ends_near_zero():
    assert 0 < learning_rate(SETTINGS.steps - 1, SETTINGS) < 0.1 * SETTINGS.lr


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (1.0, 1.0), (0.3, 0.3)])
def test_a_share_of_the_samples_has_context(share, expected):
    kept = kept_positions(4000, 64, share, torch.Generator().manual_seed(0))
    assert kept.any(1).double().mean().item() == pytest.approx(expected, abs=0.03)


def test_the_context_is_at_most_one_span():
    kept = kept_positions(200, 50, 1.0, torch.Generator().manual_seed(0)).int()
    edges = kept.diff(dim=1, prepend=torch.zeros(200, 1, dtype=torch.int), append=torch.zeros(200, 1, dtype=torch.int))
    assert (edges.clamp(min=0).sum(1) <= 1).all()
