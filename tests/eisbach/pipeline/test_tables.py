import json

import numpy as np
import pandas as pd
import pytest

from eisbach.errors import UserError
from eisbach.pipeline import tables


def test_numbers_of_any_library_become_json(tmp_path):
    tables.write_metrics(tmp_path / "m.json", {"a": np.float32(0.5), "b": np.int64(3), "c": {"d": np.float64(0.25)}})
    assert json.loads((tmp_path / "m.json").read_text()) == {"a": 0.5, "b": 3, "c": {"d": 0.25}}


def test_a_value_that_is_not_a_number_is_refused(tmp_path):
    with pytest.raises(TypeError):
        tables.write_metrics(tmp_path / "m.json", {"a": object()})


def test_a_failed_write_leaves_the_old_file(tmp_path):
    tables.write_metrics(tmp_path / "m.json", {"a": 1})
    with pytest.raises(TypeError):
        tables.write_metrics(tmp_path / "m.json", {"a": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]
    assert json.loads((tmp_path / "m.json").read_text()) == {"a": 1}


def test_a_table_is_read_as_it_was_written(tmp_path):
    table = pd.DataFrame({"seed": [0, 1], "arm": ["baseline", "barrier"], "value": [0.1, np.nan]})
    tables.write(tmp_path / "t.parquet", table)
    pd.testing.assert_frame_equal(tables.read(tmp_path / "t.parquet"), table)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(UserError, match=r"t\.parquet is missing"):
        tables.read(tmp_path / "t.parquet")
