import re

from hypothesis import given
from hypothesis import strategies as st

from predictions.report import text

anything = st.text(st.characters(exclude_categories=()), max_size=400)


@given(anything)
def test_visible_text_holds_no_control_bidi_or_surrogate_and_can_be_written(value):
    shown = text.visible(value)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    shown.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=200))
def test_harmless_text_stays_as_it_is(value):
    assert text.visible(value) == value


@given(anything, st.integers(2, 60))
def test_short_text_loses_nothing(value, length):
    start, rest = text.short(value, length)
    assert start + rest == text.visible(value)
    assert len(start) <= length


@given(anything)
def test_a_markdown_cell_is_one_line_without_markup(value):
    cell = text.markdown(value)
    assert "\n" not in cell
    assert "<" not in cell
    assert not re.search(r"(?<!\\)(?:\\\\)*[|`\[]", cell)


def test_numbers_are_rounded_signed_and_named():
    assert text.number(0.12345, sign=True) == "+0.123"
    assert text.number(-2.0) == "\N{MINUS SIGN}2"
    assert text.number(1234567) == "1234567"
    assert [text.number(value) for value in (None, float("nan"), float("inf"))] == ["unknown", "unknown", "unbounded"]
