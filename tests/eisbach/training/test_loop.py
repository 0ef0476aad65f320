import copy
from dataclasses import replace

import pytest
import torch

from eisbach import flow
from eisbach.adapters.paired import PairedAdapters
from eisbach.errors import UserError
from eisbach.models.conditioning import dit_inputs
from eisbach.models.velocity import predict
from eisbach.pipeline.params import Arm
from eisbach.training.draws import draw
from eisbach.training.loop import finetune, passes
from eisbach.weighting import make
from tests.settings import PARAMS

SETTINGS = replace(PARAMS.finetune, rank=4, alpha=4.0, batch=3, steps=4, lr=1e-2)


def trained(model, archive, weightings, seed=0, settings=SETTINGS, path=None):
    """Adapter states and records of a run on a copy of `model`."""
    model = copy.deepcopy(model)
    adapters = PairedAdapters(model.model.model, weightings, settings.adapter, settings.rank, settings.alpha, seed)
    records = list(finetune(model, adapters, weightings, archive, settings, seed, path))
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


def test_arms_per_pass_changes_no_bit(run, tiny_model, tiny_archive):
    arms = {"baseline": make("baseline"), "nothing": make("barrier", lam=0.0), "barrier": make("barrier", lam=0.5)}
    for size in (1, 2):
        states, records = trained(tiny_model, tiny_archive, arms, settings=replace(SETTINGS, arms_per_pass=size))
        assert all(equal(states[arm], run[0][arm]) for arm in arms)
        assert [record["objective"] for record in records] == [record["objective"] for record in run[1]]


def test_arms_side_by_side_or_one_after_the_other_are_the_same_bits(cores, tiny_model, tiny_archive):
    """Three arms on two cores, one of them replaying another; each core works alone, so only the order differs."""
    settings = replace(SETTINGS, arms={name: Arm(name) for name in ("trace", "baseline", "barrier")})
    found = []
    for count in (1, 2):
        cores(count)
        arms = {name: make(name) for name in settings.arms}
        found.append(trained(tiny_model, tiny_archive, arms, settings=settings))
    (alone, records), (beside, others) = found
    assert all(equal(alone[arm], beside[arm]) for arm in settings.arms)
    assert [(record["arm"], record["objective"]) for record in records] == [
        (record["arm"], record["objective"]) for record in others
    ]


def test_passes_hold_every_arm_once_and_replaying_arms_come_last():
    arms = {name: make(name) for name in ("baseline", "trace", "barrier", "constant", "shuffled")}
    leaders = {"trace": "barrier", "constant": "barrier"}
    for size in range(4):
        for cores in (1, 2, 8):
            first, last = passes(arms, leaders, size, cores)
            assert sorted(arm for group in first for arm in group) == ["barrier", "baseline", "constant", "shuffled"]
            assert last == [("trace",)]
            assert len(first) >= min(cores, 4)
            assert max(map(len, first)) <= (size or 4)
    assert passes({"baseline": make("baseline")}, {}, 0, 2) == [[("baseline",)], []]


STATEFUL = replace(
    PARAMS.finetune,
    rank=4,
    alpha=4.0,
    batch=3,
    steps=4,
    lr=1e-2,
    calibration_steps=3,
    arms={name: Arm(name) for name in ("trace", "barrier", "constant", "timestep", "edm2", "baseline")},
)


def stateful():
    return {name: make(arm.weighting) for name, arm in STATEFUL.arms.items()}


@pytest.fixture
def replaying(tiny_model, tiny_archive):
    weightings = stateful()
    return trained(tiny_model, tiny_archive, weightings, settings=STATEFUL), weightings


def test_trace_replays_the_barrier_of_its_step(replaying):
    (_, records), _ = replaying
    factors = {(record["arm"], record["step"]): record["factor"].double() for record in records}
    for step in range(STATEFUL.steps):
        wanted = factors["barrier", step].mean().float()
        assert torch.equal(factors["trace", step].float(), wanted.expand(3))


def test_constant_and_timestep_are_frozen_on_the_base_s_factors(replaying, tiny_model, tiny_archive):
    """Their one source is the barrier's factor of the untrained model at the first steps' draws."""
    (_, records), weightings = replaying
    barrier = make("barrier")
    expected = []
    for step in range(STATEFUL.calibration_steps):
        shared = draw(tiny_archive, STATEFUL, 0, step)
        noisy = flow.interpolate(shared.clips.latents, shared.noise, shared.t)
        output = predict(tiny_model, noisy, shared.t, shared.clips, dropped=shared.dropped)
        expected.append(barrier(output, None, shared.t))
    mean = torch.stack(expected).double().mean().item()
    constant = [record["factor"] for record in records if record["arm"] == "constant"]
    assert torch.stack(constant).unique().item() == pytest.approx(mean, rel=1e-6)
    assert weightings["timestep"].count.sum() == 3 * STATEFUL.calibration_steps


def test_edm2_learns_its_own_parameters(replaying):
    _, weightings = replaying
    assert weightings["edm2"].head.weight.abs().sum() > 0


def test_an_arm_that_follows_nobody_is_named(tiny_model, tiny_archive):
    with pytest.raises(
        UserError,
        match=r"finetune\.arms\.trace\.follows is 'barrier' in params\.yaml, .* choose one of none: train an arm",
    ):
        trained(tiny_model, tiny_archive, {"trace": make("trace")}, settings=STATEFUL)


def test_a_gradient_that_is_not_finite_is_refused_and_no_arm_moves(tiny_model, tiny_archive):
    def overflowing(output, target, t, mask=None, **_):
        output.register_hook(lambda grad: grad * torch.inf)
        return torch.ones_like(t)

    weightings = {"baseline": make("baseline"), "broken": overflowing}
    adapters = PairedAdapters(tiny_model.model.model, weightings, "dora", 4, 4.0)
    before = {arm: adapters.state(arm) for arm in weightings}
    with pytest.raises(UserError, match=r"the gradient of arm 'broken' at step 0 is (nan|inf) on clips clip-\d+"):
        list(finetune(tiny_model, adapters, weightings, tiny_archive, SETTINGS, 0))
    assert all(equal(before[arm], adapters.state(arm)) for arm in weightings)


def test_clipping_bounds_each_arm_by_itself(tiny_model, tiny_archive):
    """Under AdamW only ratios of steps show a clip: an arm whose loss is scaled by 100 then learns like the other."""
    arms = {"one": make("baseline"), "hundred": lambda output, target, t, mask=None, **_: torch.full_like(t, 100.0)}
    settings = replace(SETTINGS, clip_norm=1e-4, weight_decay=0.0)
    states, records = trained(tiny_model, tiny_archive, arms, settings=settings)
    norms = {(record["arm"], record["step"]): record["grad_norm"] for record in records}
    assert norms["hundred", 0] == pytest.approx(100 * norms["one", 0], rel=1e-4)
    assert norms["one", 0] > settings.clip_norm
    for name, tensor in states["one"].items():
        torch.testing.assert_close(states["hundred"][name], tensor, rtol=1e-2, atol=1e-3)


def test_an_inert_adapter_is_warned_of(tiny_model, tiny_archive):
    for parameter in tiny_model.model.parameters():
        parameter.zero_()  # every branch dead, as in an untrained base
    with pytest.warns(UserWarning, match="the adapter of arm 'baseline' has learned nothing"):
        trained(tiny_model, tiny_archive, {"baseline": make("baseline")}, settings=replace(SETTINGS, adapter="lora"))


def test_the_loss_is_that_of_the_valid_positions(tiny_model, tiny_archive):
    mask = torch.arange(tiny_archive.mask.shape[1]) < torch.tensor([6, 9, 11]).repeat(8)[:, None]
    short = replace(tiny_archive, mask=mask)
    shared = draw(short, SETTINGS, 0, 0)
    clips = shared.clips
    assert not clips.mask.all()
    noisy = flow.interpolate(clips.latents, shared.noise, shared.t)
    states = clips.states.float()
    inputs = dit_inputs(tiny_model, states, clips.token_mask, clips.seconds, noisy.shape[-1], dropped=shared.dropped)
    output = tiny_model.model(noisy, shared.t, **inputs, padding_mask=clips.mask, use_checkpointing=False)
    error = (output - flow.velocity(shared.clips.latents, shared.noise)).square().mean(1)
    wanted = torch.stack([row[valid].mean() for row, valid in zip(error, shared.clips.mask, strict=True)])
    _, records = trained(tiny_model, short, {"barrier": make("barrier")})
    torch.testing.assert_close(records[0]["loss"], wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        records[0]["factor"], make("barrier")(output, None, shared.t, shared.clips.mask), rtol=1e-4, atol=1e-4
    )


def test_an_adapter_that_is_not_finite_after_the_last_step_is_refused(tiny_model, tiny_archive):
    settings = replace(SETTINGS, steps=1)
    adapters = PairedAdapters(tiny_model.model.model, ["baseline"], settings.adapter, settings.rank, settings.alpha)
    records = finetune(tiny_model, adapters, {"baseline": make("baseline")}, tiny_archive, settings, 0)
    next(records)
    with torch.no_grad():
        next(iter(adapters.parameters("baseline").values())).fill_(torch.nan)
    with pytest.raises(UserError, match="the adapter of arm 'baseline' is not finite after the last step"):
        next(records)
