"""Settings of the trainer that are off by default: accumulation, schedules, warm start, the conditioner, exports."""

import copy
import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from safetensors import safe_open

from eisbach.adapters.imported import read
from eisbach.adapters.paired import PairedAdapters
from eisbach.errors import UserError
from eisbach.pipeline.params import Arm, Cosine
from eisbach.training import exports
from eisbach.training.draws import draw
from eisbach.training.loop import finetune
from eisbach.weighting import make
from tests.settings import PARAMS

ARMS = {name: Arm(name) for name in ("baseline", "barrier", "trace", "constant")}
SETTINGS = replace(
    PARAMS.finetune, arms=ARMS, rank=2, alpha=2.0, batch=4, steps=4, lr=1e-2, calibration_steps=2, save_every=2
)
CONDITIONER = "conditioners.seconds_total.embedder.embedding.1"


def trained(model, archive, settings=SETTINGS, path=None, stop=None, start=None, export=None):
    """Adapter states by arm, the records, and the adapters of a run on a copy of `model`."""
    model = copy.deepcopy(model)
    weightings = {name: make(arm.weighting) for name, arm in settings.arms.items()}
    adapters = PairedAdapters(
        model.model.model,
        weightings,
        settings.adapter,
        settings.rank,
        settings.alpha,
        conditioner=model.conditioner,
        train_conditioner=settings.conditioner,
    )
    if start:
        adapters.start_from(start, "start")
    records = []
    exported = partial(export, adapters) if export else None
    for record in finetune(model, adapters, weightings, archive, settings, 0, path, export=exported):
        records.append(record)
        if record["step"] == stop:
            break
    return {arm: adapters.state(arm) for arm in weightings}, records, adapters


def equal(a, b):
    return all(torch.equal(a[arm][name], b[arm][name]) for arm in b for name in b[arm])


@pytest.mark.parametrize("extra", [{}, {"context_loss": 1.0, "inpainting": (0.3, 0.4, 0.3), "ot_coupling": True}])
def test_accumulated_passes_are_one_large_batch(tiny_model, tiny_archive, extra):
    """For every weighting with the trait `per_sample`; AdamW's first step only shows signs."""
    arms = {"baseline": Arm("baseline"), "barrier": Arm("barrier")}
    base = replace(SETTINGS, arms=arms, steps=2, **extra)
    _, large, _ = trained(tiny_model, tiny_archive, base)
    _, split, _ = trained(tiny_model, tiny_archive, replace(base, batch=1, accumulate=4))
    for one, other in zip(large, split, strict=True):
        assert one["clip_id"] == other["clip_id"]
        assert torch.equal(one["t"], other["t"])
        assert one.keys() == other.keys()
        assert other["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)
        assert other["objective"] == pytest.approx(one["objective"], rel=1e-5)
        torch.testing.assert_close(other["factor"], one["factor"], rtol=1e-4, atol=1e-6)


def test_the_accumulated_gradient_is_that_of_the_large_batch(tiny_model, tiny_archive):
    from eisbach.training.loop import _gradients

    found = []
    for batch, accumulate in ((4, 1), (2, 2), (1, 4)):
        model = copy.deepcopy(tiny_model)
        settings = replace(SETTINGS, batch=batch, accumulate=accumulate)
        adapters = PairedAdapters(model.model.model, ["barrier"], "dora", 2, 2.0)
        for parameter in adapters.parameters("barrier").values():
            parameter.data.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
        weightings = {"barrier": make("barrier")}
        for call, shared in enumerate(draw(tiny_archive, settings, 0, 0).split(accumulate)):
            _gradients(model, adapters, weightings, {}, shared, settings, 0, call, ("barrier",))
        found.append(torch.cat([parameter.grad.flatten() for parameter in adapters.parameters("barrier").values()]))
    for gradient in found[1:]:
        torch.testing.assert_close(gradient, found[0], rtol=1e-4, atol=1e-6)


def test_a_weighting_counts_the_passes_from_zero(tiny_model, tiny_archive):
    steps = []

    def spy(output, target, t, mask=None, *, step=0, **_):
        steps.append(step)
        return torch.ones_like(t)

    settings = replace(SETTINGS, arms={"baseline": Arm("baseline")}, batch=1, accumulate=3, steps=2)
    model = copy.deepcopy(tiny_model)
    adapters = PairedAdapters(model.model.model, ["baseline"], "dora", 2, 2.0)
    list(finetune(model, adapters, {"baseline": spy}, tiny_archive, settings, 0))
    assert steps == [0, 1, 2, 3, 4, 5]


OPTIONS = {
    "accumulate": {"batch": 2, "accumulate": 2},
    "schedule": {"schedule": Cosine("cosine"), "warmup_steps": 2},
    "conditioner": {"conditioner": True},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_run_with_the_option_changes_the_result_and_resumes_bit_for_bit(tmp_path, tiny_model, tiny_archive, option):
    settings = replace(SETTINGS, **OPTIONS[option])
    whole, history, _ = trained(tiny_model, tiny_archive, settings)
    trained(tiny_model, tiny_archive, settings, tmp_path / "state", stop=2)
    resumed, again, _ = trained(tiny_model, tiny_archive, settings, tmp_path / "state")
    assert equal(resumed, whole)
    assert [record["objective"] for record in again] == [record["objective"] for record in history]
    plain, _, _ = trained(tiny_model, tiny_archive)
    assert not equal(whole, plain)


def test_an_arm_with_a_conditioner_does_not_know_its_neighbours(cores, tiny_model, tiny_archive):
    cores(1)  # for every pass: alone, an arm would have all cores, and beside others its share of them
    settings = replace(SETTINGS, conditioner=True)
    together, _, adapters = trained(tiny_model, tiny_archive, settings)
    alone, _, _ = trained(tiny_model, tiny_archive, replace(settings, arms={"barrier": ARMS["barrier"]}))
    assert equal({"barrier": together["barrier"]}, alone)
    assert together["barrier"][f"{CONDITIONER}.lora_B.weight"].any()
    assert not torch.equal(
        together["barrier"][f"{CONDITIONER}.lora_B.weight"], together["baseline"][f"{CONDITIONER}.lora_B.weight"]
    )
    assert CONDITIONER in adapters.layers


def test_every_arm_starts_from_the_stored_adapter(tmp_path, tiny_model, tiny_archive):
    states, _, adapters = trained(tiny_model, tiny_archive)
    adapters.save("barrier", tmp_path / "start")
    start = read(tmp_path / "start")
    settings = replace(SETTINGS, init_from=str(tmp_path / "start"), lr=0.0, weight_decay=0.0)
    still, _, _ = trained(tiny_model, tiny_archive, settings, start=start)
    assert all(equal({"a": still[arm]}, {"a": states["barrier"]}) for arm in ARMS)


def test_a_state_from_another_start_is_refused(tmp_path, tiny_model, tiny_archive):
    _, _, adapters = trained(tiny_model, tiny_archive)
    settings = replace(SETTINGS, init_from="start")
    trained(tiny_model, tiny_archive, settings, tmp_path / "state", stop=2, start=adapters.adapter("barrier"))
    with pytest.raises(UserError, match="init_from: start"):
        trained(tiny_model, tiny_archive, settings, tmp_path / "state", start=adapters.adapter("baseline"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rank": 3}, r"start has rank 2, but finetune\.rank is 3"),
        ({"alpha": 1.0}, r"start has alpha 2\.0, but finetune\.alpha is 1\.0"),
        ({"adapter": "lora"}, r"start has adapter dora, but finetune\.adapter is lora"),
    ],
)
def test_a_start_of_another_kind_rank_or_alpha_is_refused(tiny_model, tiny_archive, changes, said):
    model = copy.deepcopy(tiny_model)
    start = PairedAdapters(model.model.model, ["a"], "dora", 2, 2.0).adapter("a")
    with pytest.raises(UserError, match=said):
        trained(tiny_model, tiny_archive, replace(SETTINGS, **changes), start=start)


def test_numbered_adapters_are_those_of_a_shorter_run_with_step_and_base(tmp_path, tiny_model, tiny_archive):
    settings = replace(SETTINGS, export_every=2, steps=5)

    def export(adapters, steps):
        exports.write(adapters, "a base", tmp_path, steps)

    states, _, _ = trained(tiny_model, tiny_archive, settings, export=export)
    assert equal(states, trained(tiny_model, tiny_archive, replace(settings, export_every=0))[0])
    assert sorted(path.name for path in (tmp_path / "barrier").iterdir()) == [
        f"{steps:06d}.safetensors" for steps in (2, 4, 5)
    ]
    shorter, _, _ = trained(tiny_model, tiny_archive, replace(SETTINGS, steps=2))
    stored = read(tmp_path / "barrier" / "000002.safetensors")
    assert equal({"barrier": stored.tensors}, {"barrier": shorter["barrier"]})
    with safe_open(tmp_path / "barrier" / "000002.safetensors", "pt") as file:
        metadata = file.metadata()
    assert (metadata["step"], metadata["base"], metadata["arm"]) == ("2", "a base", "barrier")
    assert json.loads(metadata["lora_config"])["adapter_type"] == "dora-rows"
