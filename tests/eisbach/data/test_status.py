import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eisbach.data import status
from eisbach.errors import UserError


def sources(*statuses):
    return [status.SourceStatus(str(index), kind) for index, kind in enumerate(statuses)]


OBJECT = "<HTTPSConnection object at 0x{:x}>: refused"
changing = st.one_of(
    st.integers(2**24, 2**64 - 1).map(OBJECT.format),
    st.datetimes().map("seen at {}: refused".format),
    st.times().map("seen at {}: refused".format),
    st.integers(2, 99).map("begins in {} minutes: refused".format),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changing)
def test_reasons_have_no_addresses_and_no_times(tmp_path, reason):
    status.write([status.SourceStatus("a", "transient", reason)], tmp_path)
    [written] = pd.read_parquet(tmp_path / "status.parquet")["reason"]
    assert not any(letter.isdigit() for letter in written)
    assert written.endswith("refused")


def test_reasons_keep_bytes_numbers_and_ratios(tmp_path):
    reason = "byte 0xe9 in line 12: 4000 Hz, 1.5 s of 3 s"
    status.write([status.SourceStatus("a", "short", reason)], tmp_path)
    assert pd.read_parquet(tmp_path / "status.parquet")["reason"].tolist() == [reason]


def test_duplicates_are_not_counted_in_coverage():
    assert status.coverage(sources("ok", "silent", "duplicate", "duplicate")) == 0.5


def test_coverage_at_the_minimum_passes(tmp_path):
    status.check_coverage(sources("ok", "short"), 0.5, tmp_path)


@pytest.mark.parametrize(("statuses", "minimum"), [(("ok", "short"), 0.51), (("short", "short"), 0.0)])
def test_too_few_or_no_usable_sources_are_refused(tmp_path, statuses, minimum):
    with pytest.raises(UserError, match="sources are usable"):
        status.check_coverage(sources(*statuses), minimum, tmp_path)
