import numpy as np
import pytest
import torch

from eisbach import flow
from eisbach.metrics import loss_by_t


@pytest.fixture(scope="module")
def data():
    return torch.randn(40, 6, 64, generator=torch.Generator().manual_seed(0))


def test_one_time_per_tenth_is_its_midpoint():
    assert loss_by_t.times(1) == pytest.approx([0.05 + 0.1 * tenth for tenth in range(10)])


def test_times_fill_every_tenth_evenly():
    found = loss_by_t.times(3)
    assert [int(10 * t) for t in found] == [tenth for tenth in range(10) for _ in range(3)]
    assert np.diff(found) == pytest.approx(1 / 30)


def test_the_references_are_the_closed_forms_for_white_gaussian_data(data):
    """For unit data, E[v^2] = 2 and the best linear loss is 1 / ((1 - t)^2 + t^2)."""
    table = loss_by_t.reference_losses(data, loss_by_t.times(1), 0)
    best = 1 / ((1 - table["t"]) ** 2 + table["t"] ** 2)
    assert table["zero"].to_numpy() == pytest.approx(2, rel=0.03)
    assert table["scalar"].to_numpy() == pytest.approx(best.to_numpy(), rel=0.03)
    assert table["linear"].to_numpy() == pytest.approx(best.to_numpy(), rel=0.03)


def test_predictors_with_more_coefficients_have_a_smaller_loss(data):
    loud = data * torch.tensor([0.1, 0.5, 1, 2, 4, 8]).view(1, 6, 1) + 1
    table = loss_by_t.reference_losses(loud, loss_by_t.times(1), 0)
    assert (table["linear"] <= table["scalar"] + 1e-9).all()
    assert (table["scalar"] <= table["zero"] + 1e-9).all()


def test_the_optimal_linear_model_has_the_loss_of_the_scalar_reference(data):
    def velocity(noisy, t, rows):
        return flow.linear_predictor(t).view(-1, 1, 1) * noisy

    times = loss_by_t.times(1)
    losses = loss_by_t.by_tenth(loss_by_t.clip_losses(velocity, data, times, 0, batch=7))
    references = loss_by_t.by_tenth(loss_by_t.reference_losses(data, times, 0))
    assert losses["loss"].to_numpy() == pytest.approx(references["scalar"].to_numpy(), rel=0.01)


def test_the_noise_does_not_depend_on_the_batch_size(data):
    seen = [torch.cat([noisy for *_, noisy, _ in loss_by_t.grid(data, [0.25], 1, batch)]) for batch in (7, 40)]
    assert torch.equal(*seen)


MASK = torch.arange(64).expand(40, -1) < 50


def test_masked_positions_do_not_change_the_loss_of_a_model(data):
    """Losses over the valid positions are the losses of the cut clips with the same noise."""
    spoilt = data.masked_fill(~MASK[:, None], 1e3)
    kept = loss_by_t.clip_losses(lambda noisy, t, rows: 0 * noisy, spoilt, [0.35], 0, mask=MASK)
    _, _, _, target = next(loss_by_t.grid(data, [0.35], 0, 40))
    assert kept["loss"].to_numpy() == pytest.approx(target[..., :50].square().mean((1, 2)).numpy(), rel=1e-5)


def test_masked_positions_do_not_change_the_loss_of_the_references(data):
    spoilt = data.masked_fill(~MASK[:, None], 1e3)
    _, _, noisy, target = next(loss_by_t.grid(data, [0.35], 0, 40))
    reference = loss_by_t.reference_losses(spoilt, [0.35], 0, MASK).iloc[0]
    x, v = noisy[..., :50].double().numpy(), target[..., :50].double().numpy()
    assert reference["zero"] == pytest.approx((v**2).mean())
    fitted = [np.polyfit(x[:, c].ravel(), v[:, c].ravel(), 1, full=True)[1][0] / v[:, c].size for c in range(6)]
    assert reference["linear"] == pytest.approx(np.mean(fitted))
