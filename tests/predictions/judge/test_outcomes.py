"""Reading tables of outcomes, and finding an arm's values in them."""

import numpy as np
import pandas as pd
import pytest

from eisbach.arms import Arm
from eisbach.errors import UserError
from predictions.judge import outcomes
from predictions.judge.outcomes import pivot
from tests.predictions.conftest import planted


@pytest.fixture
def table():
    return planted()


def written(table, path):
    table.drop(columns="table").to_parquet(path, index=False)
    return path


def test_tables_are_read_with_their_hash(tmp_path, table):
    read, sources = outcomes.read([written(table, tmp_path / "a.parquet")])
    assert len(read) == len(table) == sources[0].rows
    assert len(sources[0].sha256) == 64
    assert set(read["table"]) == {str(tmp_path / "a.parquet")}


def test_no_table_at_all_is_an_empty_one():
    table, sources = outcomes.read([])
    assert table.empty
    assert sources == []


def test_other_columns_are_ignored(tmp_path, table):
    read, _ = outcomes.read([written(table.assign(note="x"), tmp_path / "a.parquet")])
    assert "note" not in read


def test_a_column_that_is_missing_is_named(tmp_path, table):
    path = written(table.drop(columns="lam"), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet has no column 'lam'"):
        outcomes.read([path])


def test_a_column_of_another_type_is_named(tmp_path, table):
    path = written(table.assign(seed=table["seed"].astype(str)), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet: not a table of outcomes: .*'seed'"):
        outcomes.read([path])


def test_a_duplicate_row_is_named_with_both_tables(tmp_path, table):
    first, second = written(table, tmp_path / "a.parquet"), written(table.iloc[[3]], tmp_path / "b.parquet")
    with pytest.raises(UserError, match=r"duplicate row in .*a\.parquet and .*b\.parquet: .*barrier.*seed 3, metric"):
        outcomes.read([first, second])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named(tmp_path, table, value):
    table.loc[(table["arm"] == "timestep") & (table["seed"] == 5), "value"] = value
    with pytest.raises(UserError, match=r"arm timestep.*seed 5, metric"):
        outcomes.read([written(table, tmp_path / "a.parquet")])


@pytest.mark.parametrize("content", [b"", b"not parquet at all", b"PAR1PAR1"])
def test_a_damaged_table_is_named(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.parquet is damaged "):
        outcomes.read([tmp_path / "a.parquet"])


def test_the_values_of_an_arm_are_those_of_its_rows(table):
    rows = table[(table["arm"] == "barrier") & (table["metric"] == "risk")].set_index("seed")["value"]
    found = pivot(table.sample(frac=1, random_state=0), "full").values(Arm("barrier", 0.5), "risk")
    pd.testing.assert_series_equal(found, rows.sort_index(), check_names=False)


def test_an_arm_without_lambda_takes_the_table_s_only_one(table):
    assert len(pivot(table, "full").values(Arm("barrier"), "risk")) == 12


def test_an_arm_without_lambda_is_ambiguous_where_the_table_has_two(table):
    both = pivot(pd.concat([table, table[table["arm"] == "barrier"].assign(lam=0.9)]), "full")
    with pytest.raises(UserError, match="several values of lam"):
        both.values(Arm("barrier"), "risk")
    assert len(both.values(Arm("barrier", 0.9), "risk")) == 12


def test_two_lambdas_that_agree_to_six_digits_are_refused(table):
    both = pd.concat([table, table[table["arm"] == "barrier"].assign(lam=0.5 + 1e-9)])
    with pytest.raises(UserError, match=r"'barrier@0\.5' has two lambdas that agree to six digits"):
        pivot(both, "full")


def test_an_arm_without_lambda_in_the_table_is_found_by_its_name(table):
    table.loc[table["arm"] == "timestep", "lam"] = np.nan
    assert len(pivot(table, "full").values(Arm("timestep", 0.5), "risk")) == 12


def test_an_arm_has_the_regime_s_adapter_unless_it_names_another(table):
    lora = table[table["arm"] == "barrier"].assign(adapter="lora", value=7.0)
    found = pivot(pd.concat([table, lora]), "full")
    assert (found.values(Arm("barrier", 0.5, "lora"), "risk") == 7).all()
    assert (found.values(Arm("barrier", 0.5), "risk") != 7).all()


@pytest.mark.parametrize("arm", [Arm("trace"), Arm("barrier", 0.4), Arm("barrier", 0.5, "lora")])
def test_an_arm_that_the_table_lacks_is_named(table, arm):
    with pytest.raises(outcomes.Missing, match=f"no arm '{arm}' with metric 'risk'"):
        pivot(table, "full").values(arm, "risk")


def test_a_metric_that_the_table_lacks_is_named(table):
    with pytest.raises(outcomes.Missing, match="no metric 'gone'"):
        pivot(table, "full").values(Arm("barrier"), "gone")


def test_a_metric_that_only_other_arms_have_is_missing_from_this_one(table):
    with pytest.raises(outcomes.Missing, match="no arm 'barrier' with metric 'weight'"):
        pivot(table, "full").values(Arm("barrier"), "weight")


def test_the_tables_that_hold_a_metric_are_known(table):
    more = table[table["metric"] == "weight"].assign(metric="other", table="b.parquet")
    found = pivot(pd.concat([table, more]), "full")
    assert found.tables["adamw", "other"] == ("b.parquet",)
    assert found.tables["adamw", "risk"] == ("planted.parquet",)
