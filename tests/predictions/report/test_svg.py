import xml.etree.ElementTree as ET

import pytest

from predictions.report import svg
from predictions.report.theme import INK


@pytest.fixture
def markup():
    with svg.style():
        figure, axes = svg.figure()
        axes.plot([0, 1], [0, 1], marker="o", color=INK)
        axes.fill_between([0, 1], [0, 0], [1, 1], alpha=0.2)
        axes.set(xlabel="<t> & $x_{", ylabel="weight")
        return svg.inline(figure, "picture", 'what "it" shows')


def test_an_inline_picture_has_no_style_that_the_policy_blocks(markup):
    root = ET.fromstring(markup)
    assert len(list(root.iter())) > 10
    assert not any("style" in element.attrib or element.tag.endswith("style") for element in root.iter())


def test_an_inline_picture_has_a_text_alternative(markup):
    root = ET.fromstring(markup)
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'what "it" shows'


def test_ink_becomes_the_colour_of_the_surrounding_text(markup):
    assert INK.lower() not in markup.lower()
    assert "currentColor" in markup


def ids_of(root):
    return [element.get("id") for element in root.iter() if element.get("id")]


def test_ids_are_unique_and_begin_with_the_pictures_name(markup):
    ids = ids_of(ET.fromstring(markup))
    assert ids
    assert len(ids) == len(set(ids))
    assert all(name.startswith("picture-") for name in ids)


def test_every_reference_has_a_target(markup):
    root = ET.fromstring(markup)
    wanted = {value[1:] for element in root.iter() for value in element.attrib.values() if value.startswith("#picture")}
    wanted |= {value[5:-1] for element in root.iter() for value in element.attrib.values() if value.startswith("url(#")}
    assert wanted
    assert wanted <= set(ids_of(root))


def test_markup_and_formulas_in_labels_stay_text(markup):
    assert "<t> & $x_{" in {element.text for element in ET.fromstring(markup).iter()}


def test_a_standalone_picture_has_a_background_and_a_text_colour(markup):
    root = ET.fromstring(svg.standalone(markup).split("\n", 1)[1])
    assert root.get("color") == "#1d1f22"
    assert root[0].get("fill") == "#ffffff"
