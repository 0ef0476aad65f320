"""The gauge against numpy, the census and torch's compiler; it must neither wait for the device nor hide a constant."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.barrier import Belief, barrier_factor, barrier_weight, belief
from eisbach.gauge import LEAST_SAMPLES, NEARLY_CONSTANT, Gauge
from eisbach.inference import weight_stats
from eisbach.metrics import loss_by_t


def batch(count, seed=0, shape=(6, 12)):
    """Outputs, masks and t of `count` samples with varied energy."""
    generator = torch.Generator().manual_seed(seed)
    output = torch.randn(count, *shape, generator=generator) * torch.rand(count, 1, *shape[1:], generator=generator)
    mask = torch.rand(count, *shape[1:], generator=generator) > 0.2
    return output, mask, torch.rand(count, generator=generator)


def of_weights(weight):
    """A belief of given weights `[B]`; the gauge reads nothing else."""
    return Belief(weight, weight, weight, weight)


@pytest.fixture
def census(tiny_model, tiny_archive):
    """The rows of a census, and a gauge that was fed the same outputs in its batches."""
    gauge, rows = Gauge(), []
    for t, clips, output, target in weight_stats.outputs(tiny_model, tiny_archive, loss_by_t.times(2), 0, batch=7):
        rows.append(weight_stats.measure(t, clips, output, target, 0.5))
        factor = barrier_factor(output, 0.5, clips.mask)
        loss = torch.tensor(rows[-1]["loss"].to_numpy())
        gauge.update(output, clips.mask, torch.full((len(clips),), t), factor, loss=loss)
    return pd.concat(rows, ignore_index=True), gauge


@pytest.mark.filterwarnings("ignore:the factor is a constant")
def test_its_numbers_equal_the_census_s(census):
    table, gauge = census
    wanted, found = weight_stats.summary(table), gauge.summary()
    shared = wanted.keys() & found.keys()
    assert len(shared) == 10  # all but the two that need the clips' classes
    assert {name: found[name] for name in shared} == pytest.approx({name: wanted[name] for name in shared}, rel=2e-5)
    assert found["samples"] == len(table)


@pytest.mark.filterwarnings("ignore:the factor is a constant")
def test_its_correlations_with_the_loss_are_pandas_s(census):
    table, gauge = census
    at_t = [one["factor"].corr(one["loss"]) for _, one in table.groupby("t")]
    assert gauge.summary()["factor_loss_correlation"] == pytest.approx(table["factor"].corr(table["loss"]), abs=1e-5)
    assert gauge.summary()["factor_loss_correlation_at_one_t"] == pytest.approx(np.mean(at_t), abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 20]))
def test_how_samples_are_batched_changes_nothing(sizes, seed, bins):
    output, mask, t = batch(sum(sizes), seed)
    factor, loss = barrier_factor(output, 0.7, mask), output.square().mean((1, 2))
    whole, parts = Gauge(bins), Gauge(bins)
    whole.update(output, mask, t, factor, loss=loss)
    for rows in torch.arange(sum(sizes)).split(sizes):
        parts.update(output[rows], mask[rows], t[rows], factor[rows], loss=loss[rows])
    assert parts.summary() == pytest.approx(whole.summary(), rel=1e-7, abs=1e-9, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**32 - 1), st.floats(1e-6, 1))
def test_a_spread_of_a_millionth_keeps_its_digits(count, seed, spread):
    weight = 0.3 + 0.2 * spread * torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    gauge = Gauge()
    for one in weight.split(3):
        gauge.update(None, None, torch.full(one.shape, 0.5), one, belief=of_weights(one))
    exact = np.std(weight.numpy(), ddof=1) / np.mean(weight.numpy())
    assert gauge.summary()["factor_coefficient_of_variation"] == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("shape", [(6, 12), (4, 5, 7)])
def test_a_given_belief_gives_the_same_numbers(shape):
    output, mask, t = batch(9, shape=shape)
    factor = barrier_factor(output, 0.5, mask)
    own, given_one = Gauge(), Gauge()
    own.update(output, mask, t.view(-1, 1, 1), factor)
    given_one.update(None, None, t, factor, belief=belief(output, mask))
    assert own.summary() == pytest.approx(given_one.summary(), nan_ok=True)
    assert own.summary()["mean_w"] == pytest.approx(barrier_weight(output, mask).mean().item(), rel=1e-6)


@pytest.mark.parametrize("place", ["output", "factor", "loss"])
def test_a_sample_that_is_not_finite_is_counted_and_left_out(place):
    output, mask, t = batch(8)
    values = {"factor": barrier_factor(output, 0.5, mask), "loss": output.square().mean((1, 2))}
    clean, spoiled = Gauge(), Gauge()
    clean.update(output[:7], mask[:7], t[:7], values["factor"][:7], loss=values["loss"][:7])
    mask[7] = True
    {**values, "output": output}[place][7] = math.nan
    spoiled.update(output, mask, t, values["factor"], loss=values["loss"])
    found = spoiled.summary()
    assert found.pop("samples_not_finite") == 1
    wanted = clean.summary()
    assert wanted.pop("samples_not_finite") == 0
    assert found == pytest.approx(wanted, nan_ok=True)


def test_updates_never_read_a_value_on_the_host():
    """Tensors on the meta device have no values: .item(), nonzero and boolean indexing raise there."""
    output, mask, t = (value.to("meta") for value in batch(4))
    gauge = Gauge()
    for _ in range(2):
        gauge.update(output, mask, t, barrier_factor(output, 0.5, mask), loss=t)
    with pytest.raises(NotImplementedError):
        gauge.summary()  # the one copy to the host


def test_it_keeps_no_graph():
    output, mask, t = batch(4)
    output.requires_grad_()
    gauge = Gauge()
    gauge.update(output, mask, t, barrier_factor(output, 0.5, mask, detach=False), loss=output.square().mean((1, 2)))
    assert not gauge._sums.requires_grad


@pytest.mark.parametrize("backend", ["eager", "aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_step_with_a_gauge_compiles_as_one_graph(backend):
    compiled, eager = Gauge(), Gauge()

    @torch.compile(fullgraph=True, backend=backend)
    def step(output, mask, t):
        factor = barrier_factor(output, 0.5, mask)
        compiled.update(output, mask, t, factor, belief=belief(output, mask), loss=output.square().mean((1, 2)))
        return factor

    for seed in range(3):
        output, mask, t = batch(5, seed)
        factor = step(output, mask, t)
        eager.update(output, mask, t, factor, loss=output.square().mean((1, 2)))
    assert compiled.summary() == pytest.approx(eager.summary(), rel=1e-6, nan_ok=True)


# The warning


def fed(variation, count=LEAST_SAMPLES):
    """A gauge of `count` factors about 0.58 with a coefficient of variation."""
    pattern = torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(count // 2) * math.sqrt((count - 1) / count)
    factor = 0.58 * (1 + variation * pattern)
    gauge = Gauge()
    gauge.update(None, None, torch.linspace(0, 1, count), factor, belief=of_weights(factor))
    return gauge


def test_it_warns_once_that_a_factor_is_a_constant():
    gauge = fed(0.009)
    with pytest.warns(UserWarning, match=r"varies by 0.9 % about its mean 0.58; AdamW ignores the mean.* 0.9 %"):
        gauge.summary()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gauge.summary()


@pytest.mark.parametrize("quiet", [(NEARLY_CONSTANT * 1.01, LEAST_SAMPLES), (0.009, LEAST_SAMPLES - 2)])
def test_it_is_silent_about_a_factor_that_varies_and_about_few_samples(quiet):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fed(*quiet).summary()


def test_without_samples_there_is_nothing_to_say():
    gauge = fed(0.5)
    gauge.reset()
    assert gauge.summary() == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"t": torch.rand(3)}, "must be"),
        ({"factor": torch.rand(())}, "must be"),
        ({"loss": torch.rand(4, 2)}, "must be"),
        ({"output": None}, "either output or belief"),
        ({"mask": torch.ones(4, 3, dtype=torch.bool)}, "mask must have shape"),
    ],
)
def test_wrong_arguments_are_refused(changes, message):
    output, mask, t = batch(4)
    with pytest.raises(ValueError, match=message):
        Gauge().update(**{"output": output, "mask": mask, "t": t, "factor": torch.ones(4)} | changes)


def test_no_bins_are_refused():
    with pytest.raises(ValueError, match="at least 1; got 0"):
        Gauge(0)
