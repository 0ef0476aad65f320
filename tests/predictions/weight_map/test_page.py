import pytest

from predictions.weight_map import page

TEXT = "before\n<!-- part: written by `python -m predictions.weight_map.page` -->\nold\n<!-- end of part -->\nafter\n"


def test_a_table_replaces_the_text_between_its_markers_only():
    written = page.rewritten(TEXT, "part", "| a |\n")
    assert written == TEXT.replace("old\n", "| a |\n")
    assert page.rewritten(written, "part", "| a |\n") == written


def test_a_page_without_markers_is_an_error():
    with pytest.raises(ValueError, match="lacks the markers"):
        page.rewritten(TEXT, "other", "")
