"""Laws that every arm obeys."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from eisbach import weighting as arms
from eisbach.barrier import belief
from eisbach.weighting import (
    make,
    names,
    peers,
    registry,
    replaying,
    traits_of,
)
from tests.eisbach.weighting.ready import BATCH, LABEL, LAM_ARMS, ready


def times(*values: float) -> tuple:
    return torch.zeros(len(values), 1, 2), None, torch.tensor(values)


def test_the_arms_of_the_table_are_registered():
    assert names() == [
        *("baseline", "barrier", "attached", "shuffled", "inverse", "oracle"),
        *("class", "class_reversed", "trace", "timestep", "constant", "min_snr", "logit_normal", "edm2"),
    ]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(
    ("dtype", "expected"), [("bfloat16", "float32"), ("float32", "float32"), ("float64", "float64")]
)
def test_every_arm_gives_one_finite_factor_a_sample_in_float32_or_better(name, dtype, expected, batch):
    output, target, t, mask, clean = batch
    output, clean = output.to(getattr(torch, dtype)), clean.to(getattr(torch, dtype))
    factor = ready(name, batch)(output, target, t, mask, clean=clean, label=LABEL, step=0)
    assert factor.shape == (BATCH,)
    assert factor.isfinite().all()
    assert name == "edm2" or factor.dtype == getattr(torch, expected)


@pytest.mark.parametrize("name", names())
def test_only_attached_sends_a_gradient_into_the_output(name, batch):
    output, target, t, mask, clean = batch
    output.requires_grad_()
    factor = ready(name, batch)(output, target, t, mask, clean=clean, label=LABEL, step=0)
    assert factor.requires_grad == (name in ("attached", "edm2"))
    if factor.requires_grad:
        (gradient,) = torch.autograd.grad(factor.sum(), output, allow_unused=True)
        assert (gradient is not None) == (name == "attached")


@pytest.mark.parametrize("name", LAM_ARMS)
@pytest.mark.parametrize("lam", [-0.5, 1.5])
def test_lam_is_checked_when_the_arm_is_made(name, lam):
    with pytest.raises(ValueError, match=r"lam must lie in \[0, 1\]"):
        make(name, lam=lam)


@pytest.mark.parametrize("name", LAM_ARMS)
def test_the_default_lam_is_one_half(name, batch):
    output, target, t, mask, clean = batch
    given, default = make(name, lam=0.5), make(name)
    assert given == default
    full = make(name, lam=1.0)(output, target, t, mask, clean=clean, label=LABEL, step=0)
    half = default(output, target, t, mask, clean=clean, label=LABEL, step=0)
    torch.testing.assert_close(half, 0.5 + 0.5 * full)


@pytest.mark.parametrize("name", names())
def test_autocast_changes_no_bit_of_any_factor(name, batch):
    output, target, t, mask, clean = batch
    arm = ready(name, batch)
    if name == "edm2":
        torch.nn.init.normal_(arm.head.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    expected = arm(output, target, t, mask, clean=clean, label=LABEL, step=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        factor = arm(output, target, t, mask, clean=clean, label=LABEL, step=0)
    assert factor.dtype == torch.float32
    assert torch.equal(factor, expected)


@pytest.mark.parametrize("name", names())
def test_an_empty_batch_gives_an_empty_factor(name, batch):
    empty = torch.empty(0, 4, 8)
    factor = ready(name, batch)(empty, empty, torch.empty(0), None, clean=empty, label=LABEL[:0], step=0)
    assert factor.shape == (0,)


@pytest.mark.parametrize("name", ["timestep", "constant", "logit_normal"])
def test_without_float64_an_arm_gives_the_same_to_float32s_digits(name, batch, monkeypatch):
    """A device that has none refuses to make such a tensor, so the arms ask what there is."""
    arm = ready(name, batch)
    expected = arm(*batch[:4])
    asked = []
    for module in (peers, replaying):
        monkeypatch.setattr(module, "widest_float", lambda device: asked.append(device) or torch.float32)
    torch.testing.assert_close(arm(*batch[:4]), expected, rtol=1e-5, atol=0)
    assert asked == [torch.device("cpu")]
    at_the_ends = make("logit_normal")(*times(0.0, 1.0))
    assert at_the_ends.tolist() == [0, 0]


@pytest.mark.parametrize("name", names())
def test_every_arm_has_the_methods_that_its_traits_promise(name):
    arm, traits = make(name), traits_of(make(name))
    assert hasattr(arm, "calibrate") == bool(traits.replays)
    assert hasattr(arm, "penalty") == traits.has_penalty
    assert hasattr(arm, "load_state_dict") == traits.has_state
    assert ("seed" in arms.settings_of(name)) == traits.draws


@pytest.mark.parametrize("name", [name for name in names() if traits_of(make(name)).per_sample])
def test_joining_batches_changes_no_factor_of_a_per_sample_arm(name, batch):
    output, target, t, mask, clean = batch
    arm = make(name)
    halves = [
        arm(output[part], target[part], t[part], mask[part], clean=clean[part], label=LABEL[part], step=0)
        for part in (slice(None, 3), slice(3, None))
    ]
    assert torch.equal(torch.cat(halves), arm(output, target, t, mask, clean=clean, label=LABEL, step=0))


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_belief_computed_by_the_caller_changes_no_bit(name, dtype, batch):
    output, target, t, mask, clean = batch
    output = output.to(dtype)
    given = {"clean": clean, "label": LABEL, "step": 0}
    alone = ready(name, batch)(output, target, t, mask, **given)
    assert torch.equal(ready(name, batch)(output, target, t, mask, belief=belief(output, mask), **given), alone)


def test_every_arms_signature_names_what_it_reads():
    """`clean` and `label` appear where their traits are declared, `step` in `shuffled` and `trace`."""
    parameters = {name: set(inspect.signature(registry._registry[name].__call__).parameters) for name in names()[:-1]}
    assert {name for name in parameters if "clean" in parameters[name]} == {"oracle"}
    for name, found in parameters.items():
        assert ("clean" in found) == traits_of(make(name)).needs_clean
        assert ("label" in found) == traits_of(make(name)).needs_label
    assert [name for name in parameters if "step" in parameters[name]] == ["shuffled", "trace"]


def test_the_example_in_the_docs_runs():
    page = (Path(__file__).parents[3] / "docs" / "barrier.md").read_text()
    program = page.split("```python\n")[1].split("```")[0]
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3], check=True)
