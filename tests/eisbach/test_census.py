from dataclasses import replace

import pandas as pd
import pytest
import torch

from eisbach import census
from eisbach.barrier import barrier_weight
from eisbach.metrics.loss_by_t import grid
from eisbach.models.velocity import predict


@pytest.fixture
def table(tiny_model, tiny_archive):
    return census.census(tiny_model, tiny_archive, [0.25, 0.75], 0.5, 0, batch=5)


def test_every_clip_stands_once_at_every_t(table, tiny_archive):
    assert len(table) == 2 * len(tiny_archive)
    assert not table.duplicated(["t", "clip_id"]).any()


def test_the_weights_are_the_barrier_s_on_the_model_s_output(table, tiny_model, tiny_archive):
    _, rows, noisy, _ = next(grid(tiny_archive.latents, [0.25], 0, len(tiny_archive)))
    output = predict(tiny_model, noisy, torch.full((len(rows),), 0.25), tiny_archive.rows(rows))
    wanted = barrier_weight(output)
    assert table.loc[table["t"] == 0.25, "w"].to_numpy() == pytest.approx(wanted.numpy(), rel=1e-4)


def test_the_summary_of_equal_weights_leaves_the_whole_sample(table):
    facts = census.summary(table.assign(w=0.3))
    assert facts["effective_sample_share"] == pytest.approx(1)
    assert facts["coefficient_of_variation_w"] == pytest.approx(0)
    assert facts["w_contrast_over_flat"] == pytest.approx(1)


def test_what_lies_behind_a_clip_s_end_changes_nothing_but_through_the_model(tiny_model, tiny_archive, monkeypatch):
    """With a model that looks at each position alone, a masked archive and its valid part give one census."""
    monkeypatch.setattr(census, "predict", lambda model, noisy, t, clips: noisy.tanh())
    short = replace(tiny_archive, latents=tiny_archive.latents[..., :8], mask=tiny_archive.mask[:, :8])
    loud = tiny_archive.latents.clone()
    loud[..., 8:] = 100.0
    masked = replace(tiny_archive, latents=loud, mask=torch.arange(loud.shape[-1]).expand(len(loud), -1) < 8)
    real = census.grid

    def same_noise(data, *arguments):
        """The grid of the long clips, cut, so that both meet the same noise."""
        for t, rows, noisy, target in real(loud, *arguments):
            yield t, rows, noisy[..., : data.shape[-1]], target[..., : data.shape[-1]]

    monkeypatch.setattr(census, "grid", same_noise)
    one, other = (census.census(None, data, [0.25], 0.5, 0) for data in (short, masked))
    pd.testing.assert_frame_equal(one, other, rtol=1e-6)
