"""Properties of the barrier that must hold on every system: `pytest --system analytic|toys|small`.

`EISBACH_MEDIUM=FOLDER pytest --system medium` runs them on the released checkpoint in FOLDER.
"""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eisbach import flow
from eisbach.barrier import barrier_factor, barrier_weight, position_energy
from eisbach.objective import per_sample_loss
from tests import systems
from tests.systems import SYSTEMS

few_examples = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
times = st.floats(0, 1, width=32)
lams = st.floats(0, 0.99)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="session", params=SYSTEMS)
def system(request):
    """Built once per run, before the first property draws an example."""
    wanted = request.config.getoption("--system")
    if wanted not in ("all", request.param):
        pytest.skip(f"--system {wanted}")
    if reason := systems.missing(request.param):
        pytest.skip(reason)
    return SYSTEMS[request.param]()


def all_rows(system):
    return torch.arange(len(system.clean))


@few_examples
@given(t=times, seed=seeds)
def test_weights_lie_in_the_unit_interval(system, t, seed):
    output, _ = system.at(t, all_rows(system), seed)
    weight = barrier_weight(output)
    assert weight.shape == (len(system.clean),)
    assert ((weight > 0) & (weight <= 1)).all()


@few_examples
@given(t=times, lam=lams, seed=seeds)
def test_the_barrier_keeps_the_direction_of_each_samples_gradient(system, t, lam, seed):
    """The gradient of a squared error points along output minus target."""
    output, target = system.at(t, all_rows(system), seed)
    output = output.requires_grad_()
    loss = per_sample_loss(output, target) * barrier_factor(output, lam)
    (gradient,) = torch.autograd.grad(loss.sum(), output)
    cosine = torch.cosine_similarity(gradient.flatten(1), (output - target).detach().flatten(1))
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=0, atol=1e-5)


ROUNDING = 1 / (
    1 - math.log(1e-28)
)  # the weight of a gap D of rounding: energies that differ by some 1e-14 of themselves


def with_contrast(output, share):
    """The output scaled so that its energies become mean + share * (energy - mean)."""
    energy = position_energy(output)
    mean = energy.mean(1, keepdim=True)
    wanted = mean + share * (energy - mean)
    return output.double() * (wanted / energy.clamp(min=1e-12)).sqrt().unsqueeze(1)


@few_examples
@given(t=times, seed=seeds, shares=st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_at_a_fixed_mean_energy_more_contrast_never_lowers_the_weight(system, t, seed, shares):
    output, _ = system.at(t, all_rows(system), seed)
    weights = torch.stack([barrier_weight(with_contrast(output, share)) for share in sorted(shares)])
    assert (weights.clamp(min=ROUNDING).diff(dim=0) >= -1e-9).all()


@few_examples
@given(t=times, seed=seeds)
def test_an_output_without_contrast_has_almost_no_weight(system, t, seed):
    output, _ = system.at(t, all_rows(system), seed)
    assert (barrier_weight(with_contrast(output, 0.0)) < 0.03).all()


@few_examples
@given(t=times, seed=seeds)
def test_removing_the_contrast_of_an_output_lowers_its_weight(system, t, seed):
    output, _ = system.at(t, all_rows(system), seed)
    assert (barrier_weight(with_contrast(output, 0.0)) < barrier_weight(output)).all()


@few_examples
@given(seed=seeds)
def test_at_t_0_the_output_is_minus_the_clean_sample(system, seed):
    output, _ = system.at(1e-6, all_rows(system), seed)
    size = system.clean.square().mean((1, 2)).sqrt()
    distance = (output + system.clean).square().mean((1, 2)).sqrt() / size
    assert (distance < system.output_error).all()


@few_examples
@given(seed=seeds)
def test_at_t_0_the_weight_is_that_of_the_clean_sample(system, seed):
    """Prediction 1 says that w tends to 1 at low t. It tends to the weight of the clean sample."""
    output, _ = system.at(1e-6, all_rows(system), seed)
    weight = barrier_weight(output)
    torch.testing.assert_close(weight, barrier_weight(system.clean).to(weight), rtol=system.weight_error, atol=0)


@few_examples
@given(seed=seeds)
def test_at_t_1_the_weight_does_not_depend_on_the_clean_sample(system, seed):
    """At t = 1 the input is pure noise, so two clean samples of one class and noise give the same output."""
    rows = torch.tensor([row for row, name in enumerate(system.classes) if name == system.classes[0]][:2])
    clean = system.clean[rows]
    assert not torch.allclose(clean[0], clean[1])
    noise = torch.randn(1, *clean.shape[1:], generator=torch.Generator().manual_seed(seed))
    noise = noise.to(clean.dtype).expand(2, -1, -1)
    ones = torch.ones(2, dtype=clean.dtype)
    with torch.no_grad():
        output = system.velocity(flow.interpolate(clean, noise, ones), ones, rows)
    torch.testing.assert_close(output[0], output[1], rtol=1e-4, atol=1e-4)
    weight = barrier_weight(output)
    torch.testing.assert_close(weight[0], weight[1], rtol=1e-3, atol=0)


@few_examples
@given(t=times, seed=seeds, data=st.data())
def test_masked_positions_change_no_bit_of_the_weight(system, t, seed, data):
    output, _ = system.at(t, all_rows(system), seed)
    length = output.shape[2]
    cut = data.draw(st.integers(2, length - 1))
    mask = (torch.arange(length) < cut).expand(len(output), -1)
    spoiled = torch.where(mask.unsqueeze(1), output, torch.tensor(data.draw(st.sampled_from([1e30, float("nan")]))))
    assert torch.equal(barrier_weight(spoiled, mask), barrier_weight(output, mask))


@few_examples
@given(t=times, seed=seeds, data=st.data())
def test_masking_the_end_equals_cutting_it_off(system, t, seed, data):
    output, _ = system.at(t, all_rows(system), seed)
    length = output.shape[2]
    cut = data.draw(st.integers(2, length - 1))
    mask = (torch.arange(length) < cut).expand(len(output), -1)
    torch.testing.assert_close(barrier_weight(output, mask), barrier_weight(output[..., :cut]), rtol=1e-9, atol=0)


def test_only_medium_is_missing_by_default_and_the_reason_names_the_variable(monkeypatch):
    monkeypatch.delenv(systems.MEDIUM, raising=False)
    assert [name for name in SYSTEMS if systems.missing(name)] == ["medium"]
    assert systems.MEDIUM in systems.missing("medium")


def test_medium_is_not_missing_when_its_folder_is_named(monkeypatch):
    monkeypatch.setenv(systems.MEDIUM, "somewhere")
    assert systems.missing("medium") == ""


def test_a_released_checkpoint_makes_a_system(request):
    """At small widths and untrained, but with the released layout, classes and conditions."""
    system = systems.of_model("medium", request.getfixturevalue("released_model"))
    output, target = system.at(0.5, all_rows(system), 0)
    assert output.shape == target.shape == system.clean.shape
    assert torch.isfinite(barrier_weight(output)).all()
    assert set(system.classes) == {"flat", "contrast"}


@pytest.mark.parametrize("t", [0.05, 0.2, 0.35, 0.5])
def test_the_exact_weight_of_contrast_samples_exceeds_that_of_flat_ones_up_to_t_one_half(t):
    system = SYSTEMS["analytic"](samples=256)
    flat = torch.tensor([name == "flat" for name in system.classes])
    weight = barrier_weight(system.at(t, torch.arange(256), 0)[0])
    assert weight[~flat].mean() > 1.5 * weight[flat].mean()
