"""What the judge reads beside tables of outcomes."""

import pandas as pd
import pytest

from eisbach.errors import UserError
from eisbach.metrics import validity
from predictions.judge import inputs
from predictions.judge.outcomes import base_metric
from tests.predictions.judge.test_pieces import census, grid


@pytest.fixture
def files(tmp_path):
    import numpy as np

    of = grid(np.random.default_rng(0))
    table = census(of).assign(regime="small", contrast_source="arrangement")
    names = {f"c{clip:03d}": f"piece {piece}" for clip, piece in enumerate(of.pieces)}
    clips = pd.DataFrame({"clip_id": list(names), "piece": list(names.values())})
    return tmp_path / "census.parquet", tmp_path / "manifest.parquet", table, clips


def written(files):
    census_file, manifest, table, clips = files
    table.to_parquet(census_file)
    clips.to_parquet(manifest)
    return inputs.grids(census_file, manifest)


def test_the_census_is_the_grid_of_its_regime(files):
    found = written(files)
    assert list(found) == ["small"]
    assert found["small"].w.shape == (20, 24)


def test_classes_measured_from_the_sound_are_no_classes(files):
    table = files[2]
    table.loc[3, "contrast_source"] = "measured"
    assert set(written(files)["small"].classes) == {"unknown"}


def test_without_a_census_there_are_no_weights(tmp_path):
    assert inputs.grids(tmp_path / "a", tmp_path / "b") == {}


def test_a_census_of_other_clips_is_named(files):
    with pytest.raises(UserError, match=r"census\.parquet"):
        written((*files[:3], files[3].iloc[1:]))


def test_invalid_metrics_are_those_of_the_validity_table():
    table = validity.load()
    assert set(inputs.invalid()) == {name for name, facts in table.items() if not facts["valid"]}
    assert all(inputs.invalid().values())


@pytest.mark.parametrize(
    ("metric", "base"),
    [
        ("vendi", "vendi"),
        ("gap/vendi", "vendi"),
        ("detail_diversity/between_seeds", "detail_diversity"),
        ("vendi/codec", "vendi/codec"),
    ],
)
def test_the_metric_that_another_is_computed_from(metric, base):
    assert base_metric(metric) == base
