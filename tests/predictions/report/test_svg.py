import xml.etree.ElementTree as ET

import pytest

from predictions.report import svg
from predictions.report.theme import ARMS, CLASSES, INK, PEERS, arm_colours, arm_marks, regime_name


@pytest.fixture
def markup():
    with svg.style():
        figure, axes = svg.figure()
        axes.plot([0, 1], [0, 1], marker="o", color=INK)
        axes.fill_between([0, 1], [0, 0], [1, 1], alpha=0.2)
        axes.set(xlabel="<t> & $x_{", ylabel="weight")
        return svg.inline(figure, "picture", 'what "it" shows')


def test_inline_pictures_obey_a_strict_policy(markup):
    root = ET.fromstring(markup)
    assert not any("style" in element.attrib or element.tag.endswith("style") for element in root.iter())
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'what "it" shows'


def test_ink_is_the_pages_own_colour(markup):
    assert INK.lower() not in markup.lower()
    assert "currentColor" in markup


def test_every_reference_has_its_target_and_ids_carry_the_pictures_name(markup):
    root = ET.fromstring(markup)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("picture-") for name in ids)
    wanted = {value[1:] for element in root.iter() for value in element.attrib.values() if value.startswith("#picture")}
    wanted |= {value[5:-1] for element in root.iter() for value in element.attrib.values() if value.startswith("url(#")}
    assert wanted
    assert wanted <= set(ids)


def test_labels_stay_text(markup):
    assert "<t> & $x_{" in {element.text for element in ET.fromstring(markup).iter()}


def test_a_file_of_its_own_brings_ground_and_ink(markup):
    root = ET.fromstring(svg.standalone(markup).split("\n", 1)[1])
    assert root.get("color") == "#1d1f22"
    assert root[0].get("fill") == "#ffffff"


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_stands_out_on_light_and_dark_paper():
    """WCAG asks for a contrast of 3 for graphics."""
    colours = [look[0] for look in [*ARMS.values(), *PEERS]] + list(CLASSES.values())
    for paper in ("#fcfbf8", "#15171a"):
        for colour in colours:
            light, dark = sorted((luminance(colour), luminance(paper)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 2.9, f"{colour} on {paper}"


def test_an_arm_looks_alike_wherever_it_is_drawn():
    assert arm_colours(["barrier"])["barrier"] == arm_colours(["baseline", "mine", "barrier"])["barrier"]
    assert len(set(arm_marks([*ARMS, "a", "b", "c", "d"]).values())) == len(ARMS) + 4


def test_regimes_have_names():
    assert regime_name("trajectories/c32") == "trajectories, 32 channels"
    assert regime_name("densities/*") == "2-D densities"
    assert regime_name("own/thing_x") == "own, thing x"
