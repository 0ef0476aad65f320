import copy
from dataclasses import replace

import pytest
import torch

from eisbach.adapters.peft_arms import PairedAdapters
from eisbach.errors import UserError
from eisbach.params import Finetune
from eisbach.train import draw, finetune
from eisbach.weighting import make

SETTINGS = Finetune(rank=4, alpha=4.0, batch=3, steps=4, lr=1e-2)


def trained(model, archive, weightings, seed=0, settings=SETTINGS):
    """Adapter states and records of a run on a copy of `model`."""
    model = copy.deepcopy(model)
    adapters = PairedAdapters(model.model.model, weightings, settings.adapter, settings.rank, settings.alpha, seed)
    records = list(finetune(model, adapters, weightings, archive, settings, seed))
    return {arm: adapters.state(arm) for arm in weightings}, records


def equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def run(tiny_model, tiny_archive):
    arms = {"baseline": make("baseline"), "nothing": make("barrier", lam=0.0), "barrier": make("barrier", lam=0.5)}
    return trained(tiny_model, tiny_archive, arms)


def test_lambda_zero_is_the_baseline_bit_for_bit(run):
    states, _ = run
    assert equal(states["baseline"], states["nothing"])
    assert not equal(states["baseline"], states["barrier"])


def test_an_arm_does_not_know_its_neighbours(run, tiny_model, tiny_archive):
    alone, _ = trained(tiny_model, tiny_archive, {"barrier": make("barrier", lam=0.5)})
    assert equal(alone["barrier"], run[0]["barrier"])


def test_arms_share_every_draw(run):
    _, records = run
    for step in range(SETTINGS.steps):
        here = [record for record in records if record["step"] == step]
        assert len({tuple(record["clip_id"]) for record in here}) == 1
        assert all(torch.equal(record["t"], here[0]["t"]) for record in here)


def test_the_first_step_has_equal_outputs_in_all_arms(run):
    _, records = run
    first = [record for record in records if record["step"] == 0]
    assert all(torch.equal(record["w"], first[0]["w"]) for record in first)
    assert all(torch.equal(record["loss"], first[0]["loss"]) for record in first)


def test_the_objective_is_the_mean_of_factor_times_loss(run):
    _, records = run
    for record in records:
        assert record["objective"] == pytest.approx((record["factor"] * record["loss"]).mean().item(), rel=1e-6)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(run, tiny_model, tiny_archive):
    weightings = {"baseline": make("baseline")}
    assert equal(trained(tiny_model, tiny_archive, weightings)[0]["baseline"], run[0]["baseline"])
    assert not equal(trained(tiny_model, tiny_archive, weightings, seed=1)[0]["baseline"], run[0]["baseline"])


def test_draws_depend_on_seed_and_step_alone(tiny_archive):
    first, again = draw(tiny_archive, SETTINGS, 3, 2), draw(tiny_archive, SETTINGS, 3, 2)
    assert torch.equal(first.noise, again.noise)
    assert torch.equal(first.t, again.t)
    assert not torch.equal(first.noise, draw(tiny_archive, SETTINGS, 3, 3).noise)


def test_the_base_stays_frozen(tiny_model, tiny_archive):
    before = {name: tensor.clone() for name, tensor in tiny_model.state_dict().items()}
    adapters = PairedAdapters(tiny_model.model.model, ["baseline"], "dora", 4, 4.0)
    list(finetune(tiny_model, adapters, {"baseline": make("baseline")}, tiny_archive, SETTINGS, 0))
    after = {name.replace(".base_layer", ""): tensor for name, tensor in tiny_model.state_dict().items()}
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_nan_is_refused_by_clip_before_the_optimiser_moves(tiny_model, tiny_archive):
    broken = replace(tiny_archive, latents=tiny_archive.latents.clone())
    broken.latents[:] = torch.nan
    adapters = PairedAdapters(tiny_model.model.model, ["baseline"], "dora", 4, 4.0)
    before = adapters.state("baseline")
    with pytest.raises(UserError, match=r"arm 'baseline' at step 0 is nan on clips clip-\d+"):
        list(finetune(tiny_model, adapters, {"baseline": make("baseline")}, broken, SETTINGS, 0))
    assert equal(before, adapters.state("baseline"))
