import numpy as np
import pandas as pd
import pytest

from eisbach.errors import UserError
from predictions.judge import outcomes
from predictions.registry.schema import Arm
from tests.predictions.conftest import planted


@pytest.fixture
def table():
    return planted()


def written(table, path):
    table.drop(columns="table").to_parquet(path, index=False)
    return path


def test_tables_are_read_with_their_hash(tmp_path, table):
    read, sources = outcomes.read([written(table, tmp_path / "a.parquet")])
    assert len(read) == len(table) == sources[0]["rows"]
    assert len(sources[0]["sha256"]) == 64
    assert set(read["table"]) == {str(tmp_path / "a.parquet")}


def test_no_table_at_all_is_an_empty_one():
    table, sources = outcomes.read([])
    assert table.empty
    assert sources == []


def test_a_column_that_is_missing_is_named(tmp_path, table):
    path = written(table.drop(columns="lam"), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet has no column 'lam'"):
        outcomes.read([path])


def test_a_row_that_stands_twice_is_named_with_both_tables(tmp_path, table):
    first, second = written(table, tmp_path / "a.parquet"), written(table.iloc[[3]], tmp_path / "b.parquet")
    with pytest.raises(UserError, match=r"a\.parquet and .*b\.parquet: .*arm barrier.*seed 3, metric risk"):
        outcomes.read([first, second])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named(tmp_path, table, value):
    table.loc[(table["arm"] == "timestep") & (table["seed"] == 5), "value"] = value
    with pytest.raises(UserError, match=r"arm timestep.*seed 5, metric risk"):
        outcomes.read([written(table, tmp_path / "a.parquet")])


def test_an_arm_without_lambda_takes_its_only_one(table):
    assert len(outcomes.seed_values(table, Arm("barrier"), "risk")) == 12
    both = pd.concat([table, table[table["arm"] == "barrier"].assign(lam=0.9)])
    with pytest.raises(UserError, match="several values of lam"):
        outcomes.seed_values(both, Arm("barrier"), "risk")
    assert len(outcomes.seed_values(both, Arm("barrier", 0.9), "risk")) == 12


def test_a_follower_without_lambda_in_the_table_is_found_by_its_name(table):
    table.loc[table["arm"] == "timestep", "lam"] = np.nan
    assert len(outcomes.seed_values(table, Arm("timestep", 0.5), "risk")) == 12


@pytest.mark.parametrize(
    ("arm", "metric"), [(Arm("trace"), "risk"), (Arm("barrier", 0.4), "risk"), (Arm("barrier"), "gone")]
)
def test_what_the_table_lacks_is_named(table, arm, metric):
    with pytest.raises(outcomes.Missing, match=f"'{arm if metric == 'risk' else metric}'"):
        outcomes.seed_values(table, arm, metric)


def test_unfit_metrics_come_with_their_reason(tmp_path):
    path = tmp_path / "fitness.json"
    assert outcomes.unfit(path) == {}
    path.write_text('{"a": {"valid": true, "reason": "good"}, "b": {"valid": false, "reason": "blind"}}')
    assert outcomes.unfit(path) == {"b": "blind"}


@pytest.mark.parametrize("content", [b"", b"not parquet at all", b"PAR1PAR1"])
def test_a_damaged_table_is_named(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.parquet is no parquet file or damaged"):
        outcomes.read([tmp_path / "a.parquet"])
