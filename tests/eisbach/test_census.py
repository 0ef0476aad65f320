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
