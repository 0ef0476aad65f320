import pandas as pd
import pytest

from predictions.report import weights
from predictions.report.pictures import weight_map


def test_geometries_are_the_baselines_weight_metrics_averaged_over_seeds():
    rows = [("small", "baseline", "w/t<0.2", seed, value) for seed, value in ((0, 0.2), (1, 0.4))]
    rows += [("small", "barrier", "w/t<0.2", 0, 9.0), ("small", "baseline", "vendi", 0, 9.0)]
    table = pd.DataFrame(rows, columns=["regime", "arm", "metric", "seed", "value"]).assign(run="short")
    (row,) = weights.geometries(table)
    assert (row["value"], row["seeds"]) == (pytest.approx(0.3), 2)


def test_the_map_is_left_out_where_its_tables_are_missing():
    assert weight_map.pictures({}) == []
