"""Names, colours and marks."""

import pytest

from predictions.report import theme
from predictions.report.theme import ARMS, CLASSES, PEERS, arm_colours, arm_marks, metric_name, regime_name


def luminance(colour):
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("page", ["#fcfbf8", "#15171a"], ids=["light", "dark"])
@pytest.mark.parametrize("colour", [style[0] for style in [*ARMS.values(), *PEERS]] + list(CLASSES.values()))
def test_every_colour_has_a_contrast_of_nearly_3_on_both_pages(colour, page):
    """WCAG asks for 3 for graphics."""
    light, dark = sorted((luminance(colour), luminance(page)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 2.9


def test_a_known_arm_has_the_same_colour_in_every_picture():
    assert arm_colours(["barrier"])["barrier"] == arm_colours(["baseline", "mine", "barrier"])["barrier"]


@pytest.mark.parametrize("text", ["barrier@0.3", "barrier@0.5:lora", "barrier:dora"])
def test_an_arm_with_lambda_or_adapter_has_the_style_of_its_name(text):
    assert (arm_colours([text])[text], arm_marks([text])[text]) == ARMS["barrier"]


def test_known_arms_and_four_others_have_different_marks():
    assert len(set(arm_marks([*ARMS, "a", "b", "c", "d"]).values())) == len(ARMS) + 4


def test_a_text_that_is_no_arm_has_a_style_too():
    assert arm_colours(["<b>$arm_{</b>"]) == {"<b>$arm_{</b>": PEERS[0][0]}


@pytest.mark.parametrize(
    ("regime", "name"),
    [
        ("trajectories/c32", "trajectories, 32 channels"),
        ("densities/*", "2-D densities"),
        ("own/thing_x", "own, thing x"),
        ("small", "small Stable Audio 3"),
    ],
)
def test_regimes_have_names(regime, name):
    assert regime_name(regime) == name


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("vendi", "Vendi score"),
        ("gap/vendi", "distance of the Vendi score to the truth's"),
        ("gap/waveform_diversity", "distance of the waveform diversity within a class to the truth's"),
        ("block_scale_s", "block scale s"),
    ],
)
def test_metrics_have_names(metric, name):
    assert metric_name(metric) == name


def test_no_two_metrics_share_a_name():
    assert len(set(theme.METRICS.values())) == len(theme.METRICS)


def test_an_unknown_word_has_a_sign_that_no_known_word_has():
    assert theme.sign("new") is theme.UNKNOWN
    assert theme.UNKNOWN.sign not in {sign.sign for sign in theme.WORDS.values()}
