"""torch's schedulers and Stability's InverseLR are the oracles."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.pipeline.params import Constant, Cosine, InverseLR
from eisbach.training.schedule import learning_rate
from tests.settings import PARAMS

STEPS = 12


def chosen(schedule, warmup_steps=0):
    return replace(PARAMS.finetune, lr=0.3, steps=STEPS, schedule=schedule, warmup_steps=warmup_steps)


def rates(make):
    """The rates that a torch scheduler gives to the first steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler, found = make(optimizer), []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def inverse_lr():
    """Stability's class, from the source: its package of training does not import without wandb."""
    source = Path(importlib.util.find_spec("stable_audio_tools").origin).parent / "training" / "utils.py"
    text = source.read_text()
    start = text.index("class InverseLR(")
    space = {"torch": torch}
    exec(text[start : text.index("\ndef ", start)], space)
    return space["InverseLR"]


def test_the_default_is_the_constant_rate():
    assert PARAMS.finetune.schedule == Constant("constant")
    assert {learning_rate(PARAMS.finetune, step) for step in range(STEPS)} == {PARAMS.finetune.lr}


def test_cosine_is_torch_s():
    wanted = rates(lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS))
    made = [learning_rate(chosen(Cosine("cosine")), step) for step in range(STEPS)]
    assert made == pytest.approx(wanted, rel=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    gamma=st.floats(0.5, 1e6), power=st.floats(0.1, 2), warmup=st.floats(0, 0.99), final=st.sampled_from([0.0, 0.05])
)
def test_inverse_lr_is_stability_s(gamma, power, warmup, final):
    theirs = inverse_lr()
    wanted = rates(lambda optimizer: theirs(optimizer, gamma, power, warmup, final))
    schedule = InverseLR("inverse_lr", gamma, power, warmup, final)
    made = [learning_rate(chosen(schedule), step) for step in range(STEPS)]
    assert made == pytest.approx(wanted, rel=1e-9)


def test_the_warm_up_is_torch_s_linear_one():
    wanted = rates(lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 5)))
    made = [learning_rate(chosen(Constant("constant"), 5), step) for step in range(STEPS)]
    assert made == pytest.approx(wanted, rel=1e-9)
