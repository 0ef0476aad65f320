from dataclasses import replace
from itertools import product

import pandas as pd
import pytest
import torch

from eisbach.barrier import barrier_weight
from eisbach.inference import weight_stats
from eisbach.metrics.loss_by_t import grid
from eisbach.models.velocity import predict


@pytest.fixture
def table(tiny_model, tiny_archive):
    return weight_stats.measure_grid(tiny_model, tiny_archive, [0.25, 0.75], 0.5, 0)


def test_every_clip_has_one_row_per_t(table, tiny_archive):
    assert len(table) == 2 * len(tiny_archive)
    assert not table.duplicated(["t", "clip_id"]).any()


def test_w_is_the_barrier_weight_of_the_model_s_output(table, tiny_model, tiny_archive):
    _, rows, noisy, _ = next(grid(tiny_archive.latents, [0.25], 0, len(tiny_archive)))
    output = predict(tiny_model, noisy, torch.full((len(rows),), 0.25), tiny_archive.rows(rows))
    wanted = barrier_weight(output)
    assert table.loc[table["t"] == 0.25, "w"].to_numpy() == pytest.approx(wanted.numpy(), rel=1e-4)


def test_equal_weights_have_the_whole_effective_sample_and_no_variation(table):
    facts = weight_stats.summary(table.assign(w=0.3, factor=0.65))
    assert facts["effective_sample_share"] == pytest.approx(1)
    assert facts["coefficient_of_variation_w"] == pytest.approx(0)
    assert facts["w_contrast_over_flat"] == pytest.approx(1)


def test_positions_after_the_end_of_a_clip_change_nothing_but_the_model_s_output(tiny_archive, monkeypatch):
    """With a model that treats each position alone, a masked archive and its valid part have the same table."""
    monkeypatch.setattr(weight_stats, "predict", lambda model, noisy, t, clips: noisy.tanh())
    short = replace(tiny_archive, latents=tiny_archive.latents[..., :8], mask=tiny_archive.mask[:, :8])
    padded = tiny_archive.latents.clone()
    padded[..., 8:] = 100.0
    masked = replace(tiny_archive, latents=padded, mask=torch.arange(padded.shape[-1]).expand(len(padded), -1) < 8)
    real = weight_stats.grid

    def same_noise(data, *arguments):
        """The grid of the long clips, cut to `data`, so that both archives get the same noise."""
        for t, rows, noisy, target in real(padded, *arguments):
            yield t, rows, noisy[..., : data.shape[-1]], target[..., : data.shape[-1]]

    monkeypatch.setattr(weight_stats, "grid", same_noise)
    one, other = (weight_stats.measure_grid(None, data, [0.25], 0.5, 0) for data in (short, masked))
    pd.testing.assert_frame_equal(one, other, rtol=1e-6)


def test_shares_of_variance_from_t_and_class_are_those_of_a_known_design():
    """t changes w by 1, class by 0.5 at each t, and clips of a class differ by 0.25."""
    parts = list(product([0.0, 1.0], [0.0, 0.5], [0.0, 0.25]))
    table = pd.DataFrame(
        {
            "t": [t for t, _, _ in parts],
            "contrast_class": ["contrast" if kind else "flat" for _, kind, _ in parts],
            "w": [sum(part) for part in parts],
            "factor": [1 + sum(part) for part in parts],
        }
    )
    facts = weight_stats.summary(table)
    total = 1 + 0.25 + 0.0625
    assert facts["share_of_w_variance_from_t"] == pytest.approx(1 / total)
    assert facts["share_of_w_variance_from_class"] == pytest.approx(0.25 / total)


def test_latents_flattened_by_power_one_have_the_weights_of_the_latents(tiny_model, tiny_archive, table):
    flattened = weight_stats.measure_flattened(tiny_model, tiny_archive, [0.25], [1.0, 0.5], 0.5, 0)
    assert set(flattened["power"]) == {1.0, 0.5}
    same = flattened[flattened["power"] == 1.0].drop(columns="power")
    # The flattening rounds to float32 once more; the model amplifies that.
    pd.testing.assert_frame_equal(same, table[table["t"] == 0.25].reset_index(drop=True), rtol=1e-3)
