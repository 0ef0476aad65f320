"""Which metrics of music carry no verdict."""

import pytest

from eisbach.metrics import validity as measured
from predictions.judge import validity


def test_invalid_metrics_come_with_their_reason(tmp_path):
    path = tmp_path / "validity.json"
    path.write_text('{"a": {"valid": true, "reason": "good"}, "b": {"valid": false, "reason": "separates nothing"}}')
    assert validity.invalid(path) == {"b": "separates nothing"}


def test_without_a_file_no_metric_is_invalid(tmp_path):
    assert validity.invalid(tmp_path / "validity.json") == {}


def test_the_committed_file_is_read():
    assert set(validity.invalid()) < set(measured.load())
    assert "vendi" in validity.invalid()


@pytest.mark.parametrize(
    ("metric", "base"),
    [
        ("vendi", "vendi"),
        ("gap/vendi", "vendi"),
        ("detail_diversity/between_seeds", "detail_diversity"),
        ("detail_diversity/between_seeds_normalised", "detail_diversity"),
        ("vendi/codec", "vendi/codec"),
    ],
)
def test_the_metric_that_another_is_computed_from(metric, base):
    assert validity.base_metric(metric) == base
