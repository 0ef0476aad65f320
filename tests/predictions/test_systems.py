"""One battery for every system: what must hold for the barrier on any model.

`pytest --system analytic|toys|small`, and `EISBACH_MEDIUM=FOLDER pytest --system medium` for the released checkpoint.
"""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eisbach.barrier import barrier_factor, barrier_weight, position_energy
from eisbach.objective import per_sample_loss
from tests import systems
from tests.systems import SYSTEMS

law = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
times = st.floats(0, 1, width=32)
lams = st.floats(0, 0.99)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="session", params=SYSTEMS)
def system(request):
    """Built once a run, before any property draws its first example."""
    wanted = request.config.getoption("--system")
    if wanted not in ("all", request.param):
        pytest.skip(f"--system {wanted}")
    if reason := systems.missing(request.param):
        pytest.skip(reason)
    return SYSTEMS[request.param]()


def every(system):
    return torch.arange(len(system.clean))


@law
@given(t=times, seed=seeds)
def test_weights_lie_in_the_unit_interval(system, t, seed):
    output, _ = system.at(t, every(system), seed)
    weight = barrier_weight(output)
    assert weight.shape == (len(system.clean),)
    assert ((weight > 0) & (weight <= 1)).all()


@law
@given(t=times, lam=lams, seed=seeds)
def test_a_sample_s_gradient_keeps_pointing_from_the_ground_truth(system, t, lam, seed):
    output, target = system.at(t, every(system), seed)
    output = output.requires_grad_()
    loss = per_sample_loss(output, target) * barrier_factor(output, lam)
    (gradient,) = torch.autograd.grad(loss.sum(), output)
    cosine = torch.cosine_similarity(gradient.flatten(1), (output - target).detach().flatten(1))
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=0, atol=1e-5)


def with_contrast(output, share):
    """The output with its energies drawn towards their mean: mean + share * (energy - mean)."""
    energy = position_energy(output)
    mean = energy.mean(1, keepdim=True)
    wanted = mean + share * (energy - mean)
    return output.double() * (wanted / energy.clamp(min=1e-12)).sqrt().unsqueeze(1)


@law
@given(t=times, seed=seeds, shares=st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_at_a_fixed_mean_energy_more_contrast_never_lowers_the_weight(system, t, seed, shares):
    output, _ = system.at(t, every(system), seed)
    weights = torch.stack([barrier_weight(with_contrast(output, share)) for share in sorted(shares)])
    assert (weights.diff(dim=0) >= -1e-9).all()


@law
@given(t=times, seed=seeds)
def test_a_sample_without_contrast_has_next_to_no_weight(system, t, seed):
    output, _ = system.at(t, every(system), seed)
    assert (barrier_weight(with_contrast(output, 0.0)) < 0.03).all()
    assert (barrier_weight(with_contrast(output, 0.0)) < barrier_weight(output)).all()


@law
@given(seed=seeds)
def test_at_t_0_the_answer_is_the_clean_sample_so_its_weight_is_the_limit(system, seed):
    """Prediction 1 says that w tends to 1 at low t. It tends to the clean sample's own weight."""
    output, _ = system.at(1e-6, every(system), seed)
    size = system.clean.square().mean((1, 2)).sqrt()
    miss = (output + system.clean).square().mean((1, 2)).sqrt() / size
    assert (miss < system.ground).all()
    if system.ground < 1e-3:
        torch.testing.assert_close(barrier_weight(output), barrier_weight(system.clean), rtol=1e-3, atol=0)


@law
@given(seed=seeds)
def test_at_t_1_no_weight_knows_its_sample(system, seed):
    """The input is pure noise: two samples of one condition get the same output, whatever their contrast."""
    same = [row for row, name in enumerate(system.classes) if name == system.classes[0]][:2]
    rows = torch.tensor(same)
    noise = torch.randn(1, *system.clean.shape[1:], generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        noisy = noise.to(system.clean.dtype).expand(2, -1, -1)
        output = system.velocity(noisy, torch.ones(2, dtype=system.clean.dtype), rows)
    torch.testing.assert_close(output[0], output[1], rtol=1e-4, atol=1e-4)


@law
@given(t=times, seed=seeds, data=st.data())
def test_what_is_masked_changes_no_bit(system, t, seed, data):
    output, _ = system.at(t, every(system), seed)
    length = output.shape[2]
    cut = data.draw(st.integers(2, length - 1))
    mask = (torch.arange(length) < cut).expand(len(output), -1)
    spoiled = torch.where(mask.unsqueeze(1), output, torch.tensor(data.draw(st.sampled_from([1e30, float("nan")]))))
    assert torch.equal(barrier_weight(spoiled, mask), barrier_weight(output, mask))
    torch.testing.assert_close(barrier_weight(output, mask), barrier_weight(output[..., :cut]), rtol=1e-9, atol=0)


def test_what_is_missing_says_what_to_do(monkeypatch):
    monkeypatch.delenv(systems.MEDIUM, raising=False)
    assert [name for name in SYSTEMS if systems.missing(name)] == ["medium"]
    monkeypatch.setattr(systems.importlib.util, "find_spec", lambda name: object())  # the loader is there
    assert f"{systems.MEDIUM}=FOLDER" in systems.missing("medium")
    monkeypatch.setenv(systems.MEDIUM, "somewhere")
    assert systems.missing("medium") == ""


def test_a_released_checkpoint_makes_a_system(request):
    """At the widths of a test: its velocity is untrained, but its shapes, classes and conditions are the real ones."""
    pytest.importorskip("eisbach.models.released")
    system = systems.of_model("medium", request.getfixturevalue("released_model"))
    output, target = system.at(0.5, every(system), 0)
    assert output.shape == target.shape == system.clean.shape
    assert torch.isfinite(barrier_weight(output)).all()
    assert set(system.classes) == {"flat", "contrast"}


def test_the_exact_weight_rises_with_contrast_where_little_noise_is_left():
    """Known classes: under the exact velocity of the closed-form law, contrast outweighs flat at every t up to 1/2."""
    system = SYSTEMS["analytic"](samples=256)
    flat = torch.tensor([name == "flat" for name in system.classes])
    for t in (0.05, 0.2, 0.35, 0.5):
        weight = barrier_weight(system.at(t, torch.arange(256), 0)[0])
        assert weight[~flat].mean() > 1.5 * weight[flat].mean(), t
