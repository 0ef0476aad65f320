from dataclasses import replace

import pytest
import torch

from eisbach import flow
from eisbach.adapters.paired import PairedAdapters
from eisbach.metrics import loss_by_t
from eisbach.models.velocity import predict
from eisbach.pipeline.params import Arm
from eisbach.seeds import torch_generator
from eisbach.training import validation
from eisbach.training.loop import finetune
from eisbach.weighting import make
from tests.settings import PARAMS

ARMS = {name: Arm(name) for name in ("baseline", "barrier")}
SETTINGS = replace(
    PARAMS.finetune,
    arms=ARMS,
    rank=2,
    alpha=2.0,
    batch=3,
    steps=5,
    lr=1e-2,
    validate_every=2,
    validation_clips=4,
)


def run(model, archive, settings=SETTINGS, **watching):
    weightings = {name: make(name) for name in settings.arms}
    if not hasattr(model, "adapters"):
        model.adapters = PairedAdapters(model.model.model, weightings, "dora", settings.rank, settings.alpha)
    model.adapters.reset(0)
    records = list(finetune(model, model.adapters, weightings, archive.split("finetune"), settings, 0, **watching))
    return {arm: model.adapters.state(arm) for arm in weightings}, records


@pytest.fixture
def heldout(tiny_archive):
    return tiny_archive.split("heldout")


def test_validation_runs_every_so_many_steps_and_after_the_last(tiny_model, tiny_archive, heldout):
    _, records = run(tiny_model, tiny_archive, heldout=heldout)
    assert [record["step"] for record in records if "validation" in record] == [1, 1, 3, 3, 4, 4]


def test_validation_changes_no_bit_of_the_training(tiny_model, tiny_archive, heldout):
    plain, without = run(tiny_model, tiny_archive, replace(SETTINGS, validate_every=0))
    watched, records = run(tiny_model, tiny_archive, heldout=heldout)
    assert all(torch.equal(plain[arm][name], watched[arm][name]) for arm in plain for name in plain[arm])
    assert [record["objective"] for record in records] == [record["objective"] for record in without]


def test_the_loss_is_the_unweighted_one_of_the_current_adapter(tiny_model, tiny_archive, heldout):
    """Recomputed for the last step, whose adapters are still in the model."""
    _, records = run(tiny_model, tiny_archive, heldout=heldout)
    chosen = validation.clips(heldout, SETTINGS)
    for record in records[-2:]:
        tiny_model.adapters.activate(record["arm"])
        for index, t in enumerate(loss_by_t.times(1)):
            generator = torch_generator(validation.NOISE, "held-out noise", t)
            noise = torch.randn(chosen.latents.shape, generator=generator)
            at = torch.full((len(chosen),), t)
            with torch.no_grad():
                output = predict(tiny_model, flow.interpolate(chosen.latents, noise, at), at, chosen)
            wanted = (output - (noise - chosen.latents)).square().mean((1, 2))
            torch.testing.assert_close(record["validation"][index].float(), wanted, rtol=1e-5, atol=1e-6)


def test_equal_adapters_have_equal_validations(tiny_model, tiny_archive, heldout):
    """With lambda 0 the barrier trains as the baseline; a weighted validation would differ."""
    arms = {"baseline": Arm("baseline"), "barrier": Arm("barrier", {"lam": 0.0})}
    weightings = {"baseline": make("baseline"), "barrier": make("barrier", lam=0.0)}
    adapters = PairedAdapters(tiny_model.model.model, arms, "dora", 2, 2.0)
    settings = replace(SETTINGS, arms=arms)
    data = tiny_archive.split("finetune")
    records = list(finetune(tiny_model, adapters, weightings, data, settings, 0, heldout=heldout))
    assert torch.equal(records[-1]["validation"], records[-2]["validation"])


def test_the_table_has_one_row_per_step_arm_t_and_clip(tiny_model, tiny_archive, heldout):
    _, records = run(tiny_model, tiny_archive, heldout=heldout)
    chosen = validation.clips(heldout, SETTINGS)
    table = validation.table(records, chosen)
    assert len(table) == 3 * 2 * 10 * 4
    assert not table.duplicated(["steps", "arm", "t", "clip_id"]).any()
    last = table[(table["steps"] == 5) & (table["arm"] == "barrier")]
    clip = chosen.clips["clip_id"][2]
    here = last[(last["clip_id"] == clip) & (last["t"] == validation.TIMES[7])]["loss"].item()
    assert here == records[-1]["validation"][7, 2].item()


def test_previews_are_written_every_so_many_steps_and_after_the_last(tiny_model, tiny_archive):
    asked = []
    run(tiny_model, tiny_archive, replace(SETTINGS, validate_every=0, preview_every=2), preview=asked.append)
    assert asked == [2, 4, 5]
