import pytest

from eisbach.data import status
from eisbach.errors import UserError


def sources(*statuses):
    return [status.SourceStatus(str(index), kind) for index, kind in enumerate(statuses)]


def test_duplicates_are_not_counted_in_coverage():
    assert status.coverage(sources("ok", "silent", "duplicate", "duplicate")) == 0.5


def test_coverage_at_the_minimum_passes(tmp_path):
    status.check_coverage(sources("ok", "short"), 0.5, tmp_path)


@pytest.mark.parametrize(("statuses", "minimum"), [(("ok", "short"), 0.51), (("short", "short"), 0.0)])
def test_too_few_or_no_usable_sources_are_refused(tmp_path, statuses, minimum):
    with pytest.raises(UserError, match="sources are usable"):
        status.check_coverage(sources(*statuses), minimum, tmp_path)
