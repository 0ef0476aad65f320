"""The numbers of `eisbach weigh` against simulation, and its lines, files and pictures."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eisbach.barrier import barrier_weight, factor_of_weight
from eisbach.weigh import measure, text
from tests.eisbach.weigh.command import facts_of, noise, weigh

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.floats(0.01, 1), SEEDS)
def test_the_share_of_two_equal_classes_is_spread_times_correlation_and_at_most_the_spread(half, lam, seed):
    weight = torch.rand(2 * half, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    names = ["a", "b"] * half
    found = measure.contrast(weight, names, lam)
    factor = factor_of_weight(weight, lam)
    spread = (factor.std(unbiased=False) / factor.mean()).item()
    assert found.share == pytest.approx(spread * found.correlation, rel=1e-9, abs=1e-12)
    assert 0 <= found.share <= spread + 1e-12
    assert spread <= measure.statistics(weight, lam)["factor_coefficient_of_variation"]


@settings(max_examples=40, deadline=None)
@given(st.integers(6, 30), st.floats(0.001, 0.05), st.floats(-1, 1), SEEDS)
def test_a_fit_moves_by_the_share_of_what_a_full_curriculum_moves_it(half, lam, slope, seed):
    """Weighted least squares, two classes with different targets on the same inputs: solved, not linearised.

    The full curriculum, weights 0 and 2, fits the higher class alone.
    """
    weight = torch.rand(2 * half, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    kind = torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(half)
    weight = weight + 0.5 * (kind > 0)
    found = measure.contrast(weight, ["low", "high"] * half, lam)
    assume(found.high == "high")
    inputs = noise(2, half, seed=seed, dtype=torch.float64).repeat_interleave(2, 1).reshape(2, 2 * half)
    targets = slope * inputs[0] + 3 * kind + inputs[1] * kind

    def fit(weights):
        design = torch.cat([torch.ones(1, 2 * half, dtype=torch.float64), inputs])
        return torch.linalg.solve((design * weights) @ design.T + 1e-9 * torch.eye(3), (design * weights) @ targets)

    factor = factor_of_weight(weight, lam)
    means = torch.where(kind > 0, factor[kind > 0].mean(), factor[kind < 0].mean())  # the rest of d is neglected
    full = fit(1 + kind) - fit(torch.ones_like(kind))
    moved = fit(means) - fit(torch.ones_like(kind))
    torch.testing.assert_close(moved, found.share * full, rtol=1e-3, atol=1e-6)


def test_adamw_ignores_the_mean_of_the_factor():
    """Eps apart: a constant factor leaves every step where it was."""

    def trained(factor):
        values = torch.nn.Parameter(noise(6, dtype=torch.float64))
        optimizer = torch.optim.AdamW([values], lr=1e-2, eps=1e-16)
        for step in range(20):
            optimizer.zero_grad()
            (factor * (values - noise(6, seed=step, dtype=torch.float64)).square().mean()).backward()
            optimizer.step()
        return values.detach()

    torch.testing.assert_close(trained(0.58), trained(1.0), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("channels", "positions"), [(8, 108), (64, 108), (64, 1292), (256, 108), (256, 1292)])
@pytest.mark.parametrize("rms", [0.5, 1.0, 1.5])
def test_white_noise_has_the_weight_of_its_closed_form(channels, positions, rms):
    """For a = 2 rms^2 / C up to 0.5; beyond, rare positions dominate and clips are too short for the limit."""
    if 2 * rms**2 / channels > 0.5:
        pytest.skip("outside the range of the closed form")
    outputs = rms * noise(64, channels, positions, seed=1)
    wanted = measure.white_noise_weight(channels, positions, rms)
    assert barrier_weight(outputs).mean().item() == pytest.approx(wanted, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(st.integers(16, 1024), st.integers(16, 5000))
def test_the_weight_at_t_1_is_white_noise_to_second_order(channels, positions):
    """K = 1/C + 8/(3 C^2) + 6/C^3 + ...: from C = 16 on log K is off by less than 4/C, and 1/w by the same."""
    exact, second = measure.white_noise_weight(channels, positions), measure.weight_at_one(channels, positions)
    assert 0 < 1 / second - 1 / exact < 4 / channels


def test_references_that_are_not_defined_are_nan():
    assert math.isnan(measure.white_noise_weight(2, 108, 1.0))  # the cumulants diverge at a = 1
    assert math.isnan(measure.weight_at_one(1, 2))
    assert measure.white_noise_weight(8, 1) == 1  # a single position: weight 1 by convention


# The command


@pytest.fixture
def corpus(tmp_path):
    """40 latents: every other one swells in the middle."""
    array = noise(40, 16, 60, dtype=torch.float64)
    array[1::2, :, 20:30] *= 2
    np.save(tmp_path / "a.npy", array.numpy().astype("float16"))
    rows = [f"{row},{'contrast' if row % 2 else 'flat'}" for row in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(["row,label", *rows]))
    return tmp_path / "a.npy", tmp_path / "labels.csv", array.half()


def test_ten_lines_say_what_to_expect(corpus, capsys, tmp_path):
    path, table, array = corpus
    facts, printed = facts_of(capsys, tmp_path, path, "--labels", table)
    assert len(printed) <= 10
    weight = barrier_weight(array)
    factor = factor_of_weight(weight.double(), 0.5)
    spread = (factor.std() / factor.mean()).item()
    assert facts["mean_w"] == pytest.approx(weight.mean().item(), rel=1e-6)
    assert facts["factor_coefficient_of_variation"] == pytest.approx(spread, rel=1e-6)
    assert facts["contrast"]["weight_ratio"] == pytest.approx((weight[1::2].mean() / weight[::2].mean()).item())
    assert (facts["contrast"]["low"], facts["contrast"]["high"]) == ("flat", "contrast")
    assert printed[-1].startswith(
        f"at lambda 0.5 the factor varies by {100 * spread:.2g} % at t = 0; AdamW ignores its "
    )
    assert "expect less than" in printed[-1]


def test_without_labels_the_bound_is_the_spread_and_printed_no_smaller(corpus, capsys, tmp_path):
    facts, printed = facts_of(capsys, tmp_path, corpus[0], "--lambda", "0.3")
    assert facts["most_of_a_full_curriculum"] == facts["factor_coefficient_of_variation"]
    said = float(printed[-1].split("less than ")[1].split(" %")[0]) / 100
    assert facts["spread"] <= said <= 1.1 * facts["spread"]
    assert facts["contrast"] is None


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_command_twice_gives_the_same_bytes(corpus, tmp_path, suffix):
    path, table, _ = corpus
    for name in ("one", "two"):
        weigh(path, "--labels", table, "--json", tmp_path / f"{name}.json", "--picture", tmp_path / f"{name}{suffix}")
    for end in (".json", suffix):
        assert (tmp_path / f"one{end}").read_bytes() == (tmp_path / f"two{end}").read_bytes()


@pytest.mark.parametrize("count", [1, 2])
def test_few_latents_are_weighed_too(tmp_path, capsys, count):
    np.save(tmp_path / "a.npy", noise(count, 4, 9).numpy())
    facts, printed = facts_of(capsys, tmp_path, tmp_path / "a.npy")
    assert (facts["spread"] is None) == (count == 1)
    assert ("no spread" in printed[-1]) == (count == 1)


def test_flat_latents_have_weight_0(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.ones((3, 4, 9), "float32"))
    facts, printed = facts_of(capsys, tmp_path, tmp_path / "a.npy")
    assert facts["mean_w"] == 0
    assert len(printed) <= 10


def test_latents_that_are_all_zero_are_refused(tmp_path):
    np.save(tmp_path / "zero.npy", np.zeros((2, 4, 8), np.float32))
    with pytest.raises(SystemExit, match="all 2 latents are 0 at every valid position"):
        weigh(tmp_path / "zero.npy")


def test_a_model_is_weighed_as_the_census_does(tmp_path, monkeypatch, tiny_archive, tiny_model, capsys):
    from dataclasses import replace

    from eisbach.data.latents import save
    from eisbach.inference import weight_stats
    from eisbach.metrics import loss_by_t
    from eisbach.pipeline.stages import loading
    from tests.settings import PARAMS

    classes = tiny_archive.clips.assign(contrast_class=["flat", "contrast"] * 12)
    tiny_archive = replace(tiny_archive, clips=classes)
    save(tmp_path / "archive.safetensors", tiny_archive)
    monkeypatch.setattr(loading, "base", lambda settings: tiny_model)
    facts, printed = facts_of(capsys, tmp_path, "--model", tmp_path / "archive.safetensors")
    heldout, times = tiny_archive.split("heldout"), loss_by_t.times(PARAMS.census.times_per_tenth)
    table = weight_stats.measure_grid(tiny_model, heldout, times, 0.5, PARAMS.census.seed)
    wanted = weight_stats.summary(table)
    for name in wanted.keys() & facts.keys():
        assert facts[name] == pytest.approx(wanted[name], rel=2e-5)
    assert facts["spread"] == facts["factor_coefficient_of_variation_at_one_t"]
    ratio = facts["contrast"]["weight_ratio"]
    ratio = ratio if facts["contrast"]["high"] == "contrast" else 1 / ratio
    assert ratio == pytest.approx(wanted["w_contrast_over_flat"], rel=1e-4)
    assert len(printed) <= 10
    assert "at one t" in printed[-1]


def test_a_bound_is_rounded_up():
    assert [text._percent(value, upwards=True) for value in (0.0, 0.00911, 0.1, 0.0101)] == [
        "0 %",
        "0.92 %",
        "10 %",
        "1.1 %",
    ]
