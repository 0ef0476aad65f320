import math
import xml.etree.ElementTree as ET

from hypothesis import assume, given
from hypothesis import strategies as st

from predictions.report.intervals import WIDTH, interval

finite = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))


def drawn(*numbers, **keywords):
    return ET.fromstring(interval(*numbers, **{"css": "good", "alt": '<&"', **keywords}))


@given(finite, finite, finite, finite, st.floats(0, 1e6))
def test_all_marks_lie_inside_and_the_dot_lies_on_its_bar(effect, one, other, center, margin):
    low, high = sorted((one, other))
    assume(low <= effect <= high)
    root = drawn(effect, low, high, center=center, margin=margin)
    xs = [float(element.get(key)) for element in root for key in ("x1", "x2", "cx", "x") if element.get(key)]
    assert all(0 <= x <= WIDTH for x in xs)
    bar = next(element for element in root if element.get("class") == "bar")
    dot = next(element for element in root if element.tag == "circle")
    assert float(bar.get("x1")) - 0.01 <= float(dot.get("cx")) <= float(bar.get("x2")) + 0.01


def dot(*numbers, **keywords):
    return float(next(one for one in drawn(*numbers, **keywords) if one.tag == "circle").get("cx"))


@given(st.floats(0.001, 1e3), st.floats(0.001, 1e3))
def test_the_dot_lies_right_of_the_center_for_a_larger_effect_and_left_for_a_smaller(effect, center):
    assert dot(center + effect, math.nan, math.nan, center=center) > WIDTH / 2
    assert dot(center - effect, math.nan, math.nan, center=center) < WIDTH / 2


def bars(*numbers):
    return sum(one.get("class") == "bar" for one in drawn(*numbers))


def arrows(*numbers):
    return sum(one.tag == "path" for one in drawn(*numbers))


def test_an_infinite_end_has_an_arrow():
    assert arrows(1.0, 0.5, math.inf) == 1
    assert arrows(1.0, -math.inf, math.inf) == 2
    assert arrows(1.0, 0.5, 1.5) == 0


def test_only_a_known_interval_has_a_bar():
    assert bars(1.0, 0.5, 1.5) == 1
    assert bars(1.0, math.nan, math.nan) == 0


def test_an_effect_that_is_not_finite_is_not_drawn():
    assert interval(math.nan, 0, 1, css="x", alt="") == ""


def test_the_text_alternative_is_escaped():
    assert drawn(1.0, 0.5, 1.5).get("aria-label") == '<&"'
