"""A stack trains like its models alone, its arms are paired, and its factors are those of `eisbach.weighting`."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.arms import Arm
from eisbach.objective import objective
from eisbach.weighting import followers
from toy_models import densities, gradients, trajectories
from toy_models.arms import Stack, weighting_of
from toy_models.dit import Dit
from toy_models.draws import STEPS_PER_BLOCK, draws
from toy_models.ensemble import Recipe, clip, init, make_optimizer, train
from toy_models.mixture import NULL
from toy_models.networks import Mixer, Mlp

PLANE = (Mlp(1, 2, width=8), densities.eight_gaussians())
CURVES = (Mixer(3, 6, width=8), trajectories.curves(3, length=6))
TOKENS = (Dit(3, 6, width=8, depth=2), trajectories.curves(3, length=6))
FREE = [Arm("baseline"), Arm("barrier", 0.5), Arm("shuffled", 0.5), Arm("inverse", 0.5), Arm("oracle", 0.5)]
FREE += [Arm("class"), Arm("class_reversed"), Arm("attached", 0.5), Arm("min_snr"), Arm("logit_normal"), Arm("edm2")]
SMALL = Recipe(lr=1e-2, batch=6)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def trained(problem, stack, recipe=SMALL, steps=5):
    """The raw weights after training, and (loss, factor, t) of every step."""
    network, distribution = problem
    weights = init(network, stack.seeds, len(stack.arms))
    records = [
        (step.loss.clone(), step.factor.clone(), step.t.clone())
        for step in train(network, distribution, stack, weights, recipe, steps)
    ]
    return {name: weight.detach() for name, weight in weights.items()}, records


def calibrated(stack, lam=0.5, problem=PLANE, steps=5):
    """`stack`, its followers calibrated on a barrier run of the same seeds."""
    _, records = trained(problem, Stack([Arm("barrier", lam)], stack.seeds), steps=steps)
    stack.follow({lam: torch.stack([factor[0] for _, factor, _ in records])}, torch.stack([t for _, _, t in records]))
    return stack


@pytest.mark.parametrize("problem", [PLANE, CURVES, TOKENS], ids=["mlp", "mixer", "dit"])
def test_a_model_in_a_stack_equals_the_model_trained_alone(problem):
    """Up to rounding; benchmarks/toys measures the largest difference at the regimes' own widths."""
    seeds = [1000, 1001, 1002]
    together, _ = trained(problem, Stack(FREE, seeds))
    for row, arm in enumerate(FREE):
        alone, _ = trained(problem, Stack([arm], seeds[1:2]))
        for name, weight in alone.items():
            torch.testing.assert_close(weight[0], together[name][row * 3 + 1], rtol=0, atol=1e-6, msg=arm.name)


def test_the_draws_of_a_seed_depend_neither_on_other_seeds_nor_on_the_number_of_steps():
    _, distribution = PLANE
    both = list(draws(distribution, [1000, 1001], STEPS_PER_BLOCK + 3, 4, 0.5))
    alone = list(draws(distribution, [1001], STEPS_PER_BLOCK + 1, 4, 0.5))
    assert (len(both), len(alone)) == (STEPS_PER_BLOCK + 3, STEPS_PER_BLOCK + 1)
    for one, two in zip(alone, both, strict=False):
        for field in ("clean", "target", "noisy", "t", "label"):
            assert torch.equal(getattr(one, field)[0], getattr(two, field)[1])
    assert not torch.equal(both[0].noisy[0], both[0].noisy[1])


def test_draws_of_another_purpose_are_other_draws():
    """The draws on which an adapter is trained are new to its base."""
    _, distribution = PLANE
    own = next(iter(draws(distribution, [1000, 1001], 1, 4, 0.5)))
    other = next(iter(draws(distribution, [1000, 1001], 1, 4, 0.5, purpose="toy base draws")))
    for field in ("clean", "target", "t"):
        assert not torch.equal(getattr(own, field), getattr(other, field))


def test_labels_are_dropped_at_the_given_rate():
    _, distribution = PLANE
    labels = torch.stack([draw.label for draw in draws(distribution, [1000, 1001], 28, 4, 0.5)])
    assert 0.3 < (labels == NULL).float().mean() < 0.7


def test_all_arms_of_a_seed_start_from_the_same_weights_and_seeds_differ():
    for name, weight in init(PLANE[0], [1000, 1001], 3).items():
        assert torch.equal(weight[:2], weight[2:4]), name
        assert torch.equal(weight[:2], weight[4:]), name
    weight = init(PLANE[0], [1000, 1001], 3)["first.weight"]
    assert not torch.equal(weight[0], weight[1])


def test_the_barrier_at_lambda_0_is_the_baseline():
    weights, records = trained(PLANE, Stack([Arm("baseline"), Arm("barrier", 0.0)], [1000]))
    assert all(torch.equal(weight[0], weight[1]) for weight in weights.values())
    assert all((factor == 1).all() for _, factor, _ in records)


@pytest.mark.parametrize("name", followers())
def test_a_follower_of_the_barrier_at_lambda_0_is_the_baseline(name):
    weights, records = trained(
        PLANE, calibrated(Stack([Arm("baseline"), Arm(name, 0.0, follows="barrier")], [1000]), lam=0.0)
    )
    assert all(torch.equal(weight[0], weight[1]) for weight in weights.values())
    assert all((factor == 1).all() for _, factor, _ in records)


REPLAYING = [Arm(name, 0.5, follows="barrier") for name in followers()]


@pytest.mark.parametrize("arm", FREE + REPLAYING, ids=lambda arm: arm.name)
def test_factors_and_penalty_are_those_of_the_weighting_called_for_each_seed(arm):
    network, distribution = PLANE
    seeds = [1000, 1001]
    stack = Stack([Arm("baseline"), arm], seeds)
    if arm.follows:
        calibrated(stack)
    with torch.no_grad():
        for index, parameter in enumerate(stack.parameters()):  # edm2 starts with factor 1 and penalty 0
            parameter += 0.1 * normal(index, *parameter.shape)
    weights = {name: weight + 0.1 * normal(0, *weight.shape) for name, weight in init(network, seeds, 2).items()}
    for step, draw in enumerate(draws(distribution, seeds, 2, 6, 0.1)):
        output = network(weights, draw.noisy, draw.t, draw.label)
        factors, penalty = stack.factors(output, draw, step)
        total = 0
        for index, seed in enumerate(seeds):
            stateful = arm.follows or arm.name == "edm2"
            weighting = stack.weightings[arm][index] if stateful else weighting_of(arm, seed)
            value, telemetry = objective(
                *(output[2 + index], draw.target[index], draw.t[index], None, weighting),
                clean=draw.clean[index],
                label=draw.contrast[index],
                step=step,
            )
            torch.testing.assert_close(factors[1, index].detach(), telemetry["factor"])
            total = total + value
        loss = (output[2:] - draw.target).square().mean((2, 3))
        torch.testing.assert_close((loss * factors[1]).mean(1).sum() + penalty, total)
        assert (penalty != 0) == (arm.name == "edm2")


def test_constant_is_the_baseline_under_adamw():
    stack = calibrated(Stack([Arm("baseline"), Arm("constant", 0.5, follows="barrier")], [1000, 1001]))
    weights, records = trained(PLANE, stack)
    mean = records[0][1][1, :, 0]
    assert ((mean > 0.5) & (mean < 1)).all()
    for weight in weights.values():
        torch.testing.assert_close(weight[:2], weight[2:], rtol=1e-4, atol=1e-5)


def test_constant_is_the_baseline_at_a_lower_learning_rate_under_sgd():
    seeds = [1000, 1001]
    stack = calibrated(Stack([Arm("baseline"), Arm("constant", 0.5, follows="barrier")], seeds))
    constant, records = trained(PLANE, stack, Recipe("sgd", 1e-2, batch=6))
    mean = records[0][1][1, :, 0]
    for index, seed in enumerate(seeds):
        slow = Recipe("sgd", 1e-2 * float(mean[index]), batch=6)
        expected, _ = trained(PLANE, Stack([Arm("baseline")], [seed]), slow)
        for name, weight in expected.items():
            torch.testing.assert_close(weight[0], constant[name][2 + index], rtol=1e-4, atol=1e-6)


def test_trace_replays_the_barriers_mean_factor_of_every_step():
    stack = calibrated(Stack([Arm("trace", 0.5, follows="barrier")], [1000]))
    _, barrier = trained(PLANE, Stack([Arm("barrier", 0.5)], [1000]))
    _, trace = trained(PLANE, stack)
    for (_, expected, _), (_, factor, _) in zip(barrier, trace, strict=True):
        torch.testing.assert_close(factor[0, 0], expected[0, 0].mean().expand(6))


def adamw_steps(start, gradients_):
    """`start` after a step of AdamW for each of `gradients_`."""
    weight = start.clone().requires_grad_()
    optimizer = make_optimizer(SMALL, [weight], [])
    for gradient in gradients_:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


def test_adamw_on_a_stack_is_adamw_on_each_model():
    start, gradients_ = normal(0, 3, 4, 5), normal(1, 6, 3, 4, 5)
    alone = torch.stack([adamw_steps(start[model], gradients_[:, model]) for model in range(3)])
    stacked = adamw_steps(start, gradients_)
    torch.testing.assert_close(stacked, alone, rtol=0, atol=1e-6)
    assert ((stacked - start).abs() > 1e-3).any()


@given(st.lists(st.floats(-3, 1), min_size=3, max_size=3))
@settings(max_examples=20, deadline=None)
def test_a_constant_factor_on_each_models_loss_does_not_change_adamw(exponents):
    start, gradients_ = normal(0, 3, 4, 5), normal(1, 6, 3, 4, 5)
    scale = 10.0 ** torch.tensor(exponents).view(3, 1, 1)
    torch.testing.assert_close(
        adamw_steps(start, gradients_ * scale), adamw_steps(start, gradients_), rtol=0, atol=1e-5
    )


@pytest.fixture(scope="module")
def cosines():
    """Gradient cosines of trained models by batch size, `[batches, A, S]`; the arms are barrier and attached."""
    network, distribution = PLANE
    stack = Stack([Arm("barrier", 1.0), Arm("attached", 1.0)], [1000, 1001])
    weights, _ = trained(PLANE, stack, steps=30)
    return {
        batch: gradients.cosines(network, distribution, weights, stack, batch, batches)
        for batch, batches in ((1, 12), (32, 4))
    }


def test_the_barrier_does_not_turn_the_gradient_of_a_single_sample(cosines):
    assert (cosines[1][:, 0] > 1 - 1e-5).all()


def test_attached_turns_the_gradient_of_a_single_sample(cosines):
    assert cosines[1][:, 1].min() < 0.99


def test_the_barrier_turns_the_gradient_of_a_batch(cosines):
    assert (cosines[32][:, 0] < 1 - 1e-6).all()


def test_factors_of_equal_arms_come_from_their_own_models():
    distribution, arms = PLANE[1], [Arm("barrier", 0.5), Arm("inverse", 0.5)] * 2
    output = normal(0, len(arms) * 2, 6, *distribution.shape)
    draw = next(iter(draws(distribution, [1000, 1001], 1, 6, dropout=0.0)))
    together, _ = Stack(arms, [1000, 1001]).factors(output, draw, 0)
    for row, arm in enumerate(arms):
        alone, _ = Stack([arm], [1000, 1001]).factors(output[2 * row : 2 * row + 2], draw, 0)
        torch.testing.assert_close(together[row], alone[0])
    assert not torch.allclose(together[0], together[2])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_model_whose_loss_is_not_finite_is_zeroed_and_the_others_are_unaffected(optimizer):
    network, distribution = PLANE
    recipe = Recipe(optimizer, 1e-2, batch=6, clip=1.0)
    arms = [Arm("baseline"), Arm("barrier", 0.5), Arm("edm2")]
    expected, _ = trained(PLANE, Stack(arms, [1000, 1001]), recipe)
    stack = Stack(arms, [1000, 1001])  # a new one, as edm2 has learnt
    weights = init(network, stack.seeds, 3)
    weights["last.bias"][3] = torch.nan
    steps = 0
    for step in train(network, distribution, stack, weights, recipe, 5):
        assert step.lost.nonzero().tolist() == [[1, 1]]
        assert (step.factor[1, 1] == 1).all()
        steps += 1
    assert steps == 5
    others = [0, 1, 2, 4, 5]
    for name, weight in weights.items():
        assert (weight[3] == 0).all()
        assert (step.weights[name][3] == 0).all()
        assert torch.equal(weight[others], expected[name][others])


@given(st.floats(0.1, 30))
@settings(max_examples=20, deadline=None)
def test_each_models_gradient_is_clipped_as_torch_does(largest):
    size = torch.tensor([0.1, 1.0, 10.0]).view(3, 1, 1)
    gradients_ = [normal(index, 3, *shape) * size for index, shape in enumerate(((4, 5), (1, 5)))]
    expected = []
    for model in range(3):
        alone = [torch.nn.Parameter(torch.zeros(gradient[0].shape)) for gradient in gradients_]
        for parameter, gradient in zip(alone, gradients_, strict=True):
            parameter.grad = gradient[model].clone()
        torch.nn.utils.clip_grad_norm_(alone, largest)
        expected.append([parameter.grad for parameter in alone])
    clip(gradients_, largest)
    for model in range(3):
        for gradient, of_model in zip(gradients_, expected[model], strict=True):
            torch.testing.assert_close(gradient[model], of_model, rtol=1e-4, atol=1e-6)
