import math
import xml.etree.ElementTree as ET

from hypothesis import assume, given
from hypothesis import strategies as st

from predictions.report.intervals import WIDTH, interval

finite = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))


def drawn(*numbers, **keywords):
    return ET.fromstring(interval(*numbers, **{"css": "supported", "alt": '<&"', **keywords}))


@given(finite, finite, finite, finite, st.floats(0, 1e6))
def test_everything_stays_inside_and_in_order(effect, one, other, center, margin):
    low, high = sorted((one, other))
    assume(low <= effect <= high)
    root = drawn(effect, low, high, center=center, margin=margin)
    xs = [float(element.get(key)) for element in root for key in ("x1", "x2", "cx", "x") if element.get(key)]
    assert all(0 <= x <= WIDTH for x in xs)
    bar = next(element for element in root if element.get("class") == "bar")
    dot = next(element for element in root if element.tag == "circle")
    assert float(bar.get("x1")) - 0.01 <= float(dot.get("cx")) <= float(bar.get("x2")) + 0.01


@given(st.floats(0.001, 1e3), st.floats(0.001, 1e3))
def test_the_dot_lies_on_its_side_of_the_center(effect, center):
    right = next(one for one in drawn(center + effect, math.nan, math.nan, center=center) if one.tag == "circle")
    assert float(right.get("cx")) >= WIDTH / 2


def test_an_unbounded_end_has_an_arrow_and_no_interval_has_no_bar():
    assert sum(one.tag == "path" for one in drawn(1.0, 0.5, math.inf)) == 1
    assert not any(one.get("class") == "bar" for one in drawn(1.0, math.nan, math.nan))
    assert interval(math.nan, 0, 1, css="x", alt="") == ""
