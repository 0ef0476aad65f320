"""A stack is its models side by side: equal to each trained alone, paired over arms, and by the method's own arms."""

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
from toy_models.draws import TOGETHER, draws
from toy_models.ensemble import Recipe, beginning, clip, optimiser, train
from toy_models.mixture import NULL
from toy_models.networks import Mixer, Mlp

PLANE = (Mlp(1, 2, width=8), densities.eight_gaussians())
CURVES = (Mixer(3, 6, width=8), trajectories.curves(3, length=6))
TOKENS = (Dit(3, 6, width=8, depth=2), trajectories.curves(3, length=6))
FREE = [Arm("baseline"), Arm("barrier", 0.5), Arm("shuffled", 0.5), Arm("inverse", 0.5), Arm("oracle", 0.5)]
FREE += [Arm("attached", 0.5), Arm("min_snr"), Arm("logit_normal"), Arm("edm2")]
SMALL = Recipe(lr=1e-2, batch=6)


def trained(problem, stack, recipe=SMALL, steps=5):
    """The raw weights and the steps' records, tensors cloned."""
    network, law = problem
    weights = beginning(network, stack.seeds, len(stack.arms))
    records = [
        (step.loss.clone(), step.factor.clone(), step.t.clone())
        for step in train(network, law, stack, weights, recipe, steps)
    ]
    return {name: weight.detach() for name, weight in weights.items()}, records


def followed(stack, problem=PLANE, steps=5):
    """`stack`, its followers calibrated on a barrier run of the same seeds."""
    _, records = trained(problem, Stack([Arm("barrier", 0.5)], stack.seeds), steps=steps)
    stack.follow({0.5: torch.stack([factor[0] for _, factor, _ in records])}, torch.stack([t for _, _, t in records]))
    return stack


@pytest.mark.parametrize("problem", [PLANE, CURVES, TOKENS], ids=["mlp", "mixer", "dit"])
def test_a_model_alone_is_the_model_in_the_stack(problem):
    """But for rounding; benchmarks/toys measures the largest difference at the regimes' own widths."""
    seeds = [1000, 1001, 1002]
    together, _ = trained(problem, Stack(FREE, seeds))
    for row, arm in enumerate(FREE):
        alone, _ = trained(problem, Stack([arm], seeds[1:2]))
        for name, weight in alone.items():
            torch.testing.assert_close(weight[0], together[name][row * 3 + 1], rtol=0, atol=1e-6, msg=arm.name)


def test_arms_share_draws_and_seeds_do_not_know_each_other():
    _, law = PLANE
    both = list(draws(law, [1000, 1001], TOGETHER + 3, 4, 0.5))
    alone = list(draws(law, [1001], TOGETHER + 1, 4, 0.5))
    for one, two in zip(alone, both, strict=False):
        assert torch.equal(one.noisy[0], two.noisy[1])
        assert torch.equal(one.label[0], two.label[1])
    assert not torch.equal(both[0].noisy[0], both[0].noisy[1])
    base = next(iter(draws(law, [1000, 1001], 1, 4, 0.5, purpose="toy base draws")))  # an adapter's are new to it
    for part in ("clean", "target", "t"):
        assert not torch.equal(getattr(base, part), getattr(both[0], part))
    labels = torch.stack([draw.label for draw in both])
    assert 0.3 < (labels == NULL).float().mean() < 0.7


def test_arms_of_a_seed_begin_alike_and_seeds_differ():
    weights = beginning(PLANE[0], [1000, 1001], 3)["first.weight"]
    assert torch.equal(weights[0], weights[2])
    assert torch.equal(weights[1], weights[5])
    assert not torch.equal(weights[0], weights[1])


def test_a_follower_of_lambda_zero_and_the_barrier_of_lambda_zero_are_the_baseline():
    weights, records = trained(PLANE, Stack([Arm("baseline"), Arm("barrier", 0.0)], [1000]))
    assert all(torch.equal(weight[0], weight[1]) for weight in weights.values())
    assert all((factor == 1).all() for _, factor, _ in records)


REPLAYING = [Arm(name, 0.5, follows="barrier") for name in followers()]


@pytest.mark.parametrize("arm", FREE + REPLAYING, ids=lambda arm: arm.name)
def test_factors_are_those_of_the_weightings_called_seed_by_seed(arm):
    network, law = PLANE
    seeds = [1000, 1001]
    stack = Stack([Arm("baseline"), arm], seeds)
    if arm.follows:
        followed(stack)
    weights = beginning(network, seeds, 2)
    weights = {name: weight + 0.1 * torch.randn(weight.shape) for name, weight in weights.items()}
    for step, draw in enumerate(draws(law, seeds, 2, 6, 0.1)):
        output = network(weights, draw.noisy, draw.t, draw.label)
        factors, penalty = stack.factors(output, draw, step)
        total = 0
        for index, seed in enumerate(seeds):
            mine = stack.weightings[arm][index] if arm.follows or arm.name == "edm2" else weighting_of(arm, seed)
            value, telemetry = objective(
                output[2 + index], draw.target[index], draw.t[index], None, mine, clean=draw.clean[index], step=step
            )
            torch.testing.assert_close(factors[1, index].detach(), telemetry["factor"])
            total = total + value
        loss = (output[2:] - draw.target).square().mean((2, 3))
        torch.testing.assert_close((loss * factors[1]).mean(1).sum() + penalty, total)


def test_constant_is_the_baseline_under_adamw_and_a_learning_rate_under_sgd():
    seeds = [1000, 1001]
    stack = followed(Stack([Arm("baseline"), Arm("constant", 0.5, follows="barrier")], seeds))
    weights, records = trained(PLANE, stack)
    mean = records[0][1][1, :, 0]
    assert ((mean > 0.5) & (mean < 1)).all()
    for weight in weights.values():
        torch.testing.assert_close(weight[:2], weight[2:], rtol=1e-4, atol=1e-5)
    for index, seed in enumerate(seeds):
        slow = Recipe("sgd", 1e-2 * float(mean[index]), batch=6)
        expected, _ = trained(PLANE, Stack([Arm("baseline")], [seed]), slow)
        constant, _ = trained(PLANE, stack, Recipe("sgd", 1e-2, batch=6))
        for name, weight in expected.items():
            torch.testing.assert_close(weight[0], constant[name][2 + index], rtol=1e-4, atol=1e-6)


def test_trace_replays_the_mean_of_every_step():
    stack = followed(Stack([Arm("trace", 0.5, follows="barrier")], [1000]))
    _, barrier = trained(PLANE, Stack([Arm("barrier", 0.5)], [1000]))
    _, trace = trained(PLANE, stack)
    for (_, expected, _), (_, factor, _) in zip(barrier, trace, strict=True):
        torch.testing.assert_close(factor[0, 0], expected[0, 0].mean().expand(6))


@given(st.lists(st.floats(-3, 1), min_size=3, max_size=3))
@settings(max_examples=20, deadline=None)
def test_adamw_on_a_stack_is_adamw_on_each_and_ignores_the_scale_of_a_loss(exponents):
    generator = torch.Generator().manual_seed(0)
    start, gradients_ = torch.randn(3, 4, 5, generator=generator), torch.randn(6, 3, 4, 5, generator=generator)
    scale = 10.0 ** torch.tensor(exponents).view(3, 1, 1)
    stacked = start.clone().requires_grad_()
    alone = [row.clone().requires_grad_() for row in start]
    step = optimiser(SMALL, [stacked], [])
    steps = [optimiser(SMALL, [row], []) for row in alone]
    for gradient in gradients_:
        stacked.grad = gradient * scale
        step.step()
        for row, own, mine in zip(alone, steps, gradient, strict=True):
            row.grad = mine.clone()
            own.step()
    torch.testing.assert_close(stacked, torch.stack(alone), rtol=0, atol=1e-5)


def test_per_sample_gradients_of_the_barrier_are_parallel_and_those_of_attached_are_not():
    network, law = PLANE
    stack = Stack([Arm("barrier", 1.0), Arm("attached", 1.0)], [1000, 1001])
    weights, _ = trained(PLANE, stack, steps=30)
    cosines = gradients.cosines(network, law, weights, stack, batch=1, batches=12)
    assert (cosines[:, 0] > 1 - 1e-5).all()
    assert cosines[:, 1].min() < 0.99
    batch = gradients.cosines(network, law, weights, stack, batch=32, batches=4)
    assert (batch[:, 0] < 1 - 1e-6).all()


def test_equal_arms_on_different_models_have_the_factors_of_their_own_model():
    law, arms = PLANE[1], [Arm("barrier", 0.5), Arm("inverse", 0.5)] * 2
    output = torch.randn(len(arms) * 2, 6, *law.shape, generator=torch.Generator().manual_seed(0))
    draw = next(iter(draws(law, [1000, 1001], 1, 6, dropout=0.0)))
    together, _ = Stack(arms, [1000, 1001]).factors(output, draw, 0)
    for row, arm in enumerate(arms):
        alone, _ = Stack([arm], [1000, 1001]).factors(output[2 * row : 2 * row + 2], draw, 0)
        torch.testing.assert_close(together[row], alone[0])
    assert not torch.allclose(together[0], together[2])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_model_whose_loss_is_not_finite_is_lost_and_the_others_do_not_notice(optimizer):
    network, law = PLANE
    recipe = Recipe(optimizer, 1e-2, batch=6, clip=1.0)
    arms = [Arm("baseline"), Arm("barrier", 0.5), Arm("edm2")]
    whole, _ = trained(PLANE, Stack(arms, [1000, 1001]), recipe)
    stack = Stack(arms, [1000, 1001])  # a new one, as edm2 learns
    weights = beginning(network, stack.seeds, 3)
    weights["last.bias"][3] = torch.nan
    for step in train(network, law, stack, weights, recipe, 5):
        assert step.lost.nonzero().tolist() == [[1, 1]]
    others = [0, 1, 2, 4, 5]
    for name, weight in weights.items():
        assert (weight[3] == 0).all()
        assert (step.weights[name][3] == 0).all()
        assert torch.equal(weight[others], whole[name][others])


@given(st.floats(0.1, 30))
@settings(max_examples=20, deadline=None)
def test_clipping_is_torchs_for_each_model(largest):
    generator = torch.Generator().manual_seed(0)
    size = torch.tensor([0.1, 1.0, 10.0]).view(3, 1, 1)
    gradients_ = [torch.randn(3, *shape, generator=generator) * size for shape in ((4, 5), (1, 5))]
    expected = []
    for model in range(3):
        alone = [torch.nn.Parameter(torch.zeros(gradient[0].shape)) for gradient in gradients_]
        for parameter, gradient in zip(alone, gradients_, strict=True):
            parameter.grad = gradient[model].clone()
        torch.nn.utils.clip_grad_norm_(alone, largest)
        expected.append([parameter.grad for parameter in alone])
    clip(gradients_, largest)
    for model in range(3):
        for gradient, mine in zip(gradients_, expected[model], strict=True):
            torch.testing.assert_close(gradient[model], mine, rtol=1e-4, atol=1e-6)
