import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions.report import text

anything = st.text(st.characters(exclude_categories=()), max_size=400)


@given(anything)
def test_visible_text_has_no_control_direction_or_surrogate_character(value):
    shown = text.visible(value)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    shown.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=200))
def test_text_of_visible_characters_does_not_change(value):
    assert text.visible(value) == value


@given(anything, st.integers(2, 60))
def test_the_two_parts_of_short_are_the_whole_text(value, length):
    start, rest = text.short(value, length)
    assert start + rest == text.visible(value)
    assert len(start) <= length


@given(anything)
def test_a_markdown_cell_has_one_line(value):
    assert "\n" not in text.markdown(value)


@given(anything)
def test_a_markdown_cell_has_no_markup(value):
    cell = text.markdown(value)
    assert "<" not in cell
    assert not re.search(r"(?<!\\)(?:\\\\)*[|`\[]", cell)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.12345, "0.123"),
        (-2.0, "\N{MINUS SIGN}2"),
        (1234567, "1234567"),
        (None, "unknown"),
        (float("nan"), "unknown"),
        (float("inf"), "unbounded"),
    ],
)
def test_numbers_have_three_digits_and_undefined_ones_have_words(value, expected):
    assert text.number(value) == expected


def test_a_sign_is_added_to_positive_numbers_on_request():
    assert text.number(0.12345, sign=True) == "+0.123"
