import pytest

from predictions.registry import load as registry
from predictions.weight_map import page
from tests.predictions.report.test_curriculum import SETTINGS, run

TEXT = "before\n<!-- part: written by `python -m predictions.weight_map.page` -->\nold\n<!-- end of part -->\nafter\n"


def test_a_table_replaces_the_text_between_its_markers_only():
    written = page.rewritten(TEXT, "part", "| a |\n")
    assert written == TEXT.replace("old\n", "| a |\n")
    assert page.rewritten(written, "part", "| a |\n") == written


def test_a_page_without_markers_is_an_error():
    with pytest.raises(ValueError, match="lacks the markers"):
        page.rewritten(TEXT, "other", "")


def test_the_forecast_is_the_sealed_one():
    assert page.sealed(page.DOCS / page.FORECAST)


def test_another_page_is_not_sealed(tmp_path):
    changed = tmp_path / page.FORECAST
    changed.write_text((page.DOCS / page.FORECAST).read_text() + " ")
    assert not page.sealed(changed)
    assert len(registry.load().forecast) == 64


def test_the_response_is_the_barrier_s_whatever_the_class_arms_do():
    outcomes, telemetry = run()
    outcomes.loc[outcomes["arm"].str.startswith("class"), "value"] *= -7
    (found,) = page.responses(outcomes, telemetry, SETTINGS)
    assert found.low < found.slope < found.high
    assert found.slope == pytest.approx(-1, abs=0.05)
