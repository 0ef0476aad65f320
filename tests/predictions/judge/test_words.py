"""The words: every interval and margin has exactly one, and none says what the interval excludes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions.judge import effects, words
from predictions.judge.words import Read

ends = st.one_of(st.floats(-5, 5).map(lambda x: round(x, 2)), st.sampled_from([-np.inf, np.inf, 0.0, 1.0, -1.0]))
intervals = st.tuples(ends, ends).map(sorted).filter(lambda pair: pair[0] < np.inf and pair[1] > -np.inf)
margins = st.one_of(st.none(), st.floats(0.01, 3).map(lambda x: round(x, 2)), st.just(1.0))
kinds = st.sampled_from(sorted(words.READ))
TABLE = {  # docs/predictions.md, as conditions of which the first that holds gives the word
    "difference": [
        ("holds", lambda low, high, d: low > d),
        ("present", lambda low, high, d: low > 0),
        ("opposite", lambda low, high, d: high < 0),
        ("absent", lambda low, high, d: low > -d and high < d),
    ],
    "bound": [("holds", lambda low, high, d: low > 0), ("fails", lambda low, high, d: high < 0)],
    "intersection": [("holds", lambda low, high, d: low > 0), ("fails", lambda low, high, d: high < 0)],
    "no_less": [("kept", lambda low, high, d: low + d > 0), ("lost", lambda low, high, d: high + d < 0)],
    "equal": [
        ("equal", lambda low, high, d: low > -d and high < d),
        ("unequal", lambda low, high, d: low > d or high < -d),
    ],
}


@given(kinds, intervals, st.floats(0.01, 3))
def test_every_interval_has_the_first_word_that_fits(kind, interval, margin):
    wanted = next((word for word, fits in TABLE[kind] if fits(*interval, margin)), "undecided")
    assert words.READ[kind](*interval, margin).word == wanted


@given(kinds, intervals, st.floats(0.01, 3))
def test_no_interval_fits_two_words_but_a_stronger_and_a_weaker_one(kind, interval, margin):
    fitting = {word for word, fits in TABLE[kind] if fits(*interval, margin)}
    assert (
        len(fitting) <= 1
        or fitting == {"holds", "present"}
        or fitting in ({"present", "absent"}, {"opposite", "absent"})
    )


@given(kinds, intervals, margins)
def test_an_interval_above_zero_is_never_absent_or_opposite(kind, interval, margin):
    if interval[0] > 0:
        assert words.READ[kind](*interval, margin).word not in ("absent", "opposite", "fails", "lost")


@given(kinds, intervals, margins)
def test_an_interval_below_zero_neither_holds_nor_is_present(kind, interval, margin):
    if interval[1] < 0:
        assert words.READ[kind](*interval, margin).word not in ("holds", "present", "absent")


@given(intervals, margins)
def test_below_d_is_said_exactly_where_the_whole_interval_is(interval, margin):
    read = words.difference(*interval, margin)
    low, high = interval
    inside = margin is not None and -margin < low and high < margin
    assert read.below == (inside and read.word in ("present", "opposite"))


@given(intervals, margins)
def test_turning_a_difference_turns_its_word(interval, margin):
    low, high = interval
    one, turned = words.difference(low, high, margin), words.difference(-high, -low, margin)
    opposite = {"holds": "opposite", "present": "opposite"}
    assert turned.word == opposite.get(one.word, turned.word if one.word == "opposite" else one.word)
    assert turned.below == one.below


@given(intervals)
def test_without_a_margin_no_absence_is_shown(interval):
    assert words.difference(*interval, None).word in ("present", "opposite", "undecided")
    assert {words.READ[kind](*interval, None).word for kind in ("no_less", "equal")} == {"undecided"}


@given(kinds, intervals, margins)
def test_an_insensitive_assay_hides_only_what_is_not_seen(kind, interval, margin):
    read = words.READ[kind](*interval, margin)
    assert words.gated(read, sensitive=True) == read
    gated = words.gated(read, sensitive=False)
    seen = read.word in ("holds", "present", "opposite", "lost", "unequal", "fails")
    assert gated == (read if seen else Read("insensitive"))


@given(kinds, intervals, margins)
def test_every_word_has_a_reason_that_its_interval_bears_out(kind, interval, margin):
    read = words.READ[kind](*interval, margin)
    low, high = effects.ends(*interval)
    found = effects.effect(0.0, (low, high), (low, high))
    reason = effects.reason_of(read, found, margin)
    if read.word == "opposite":
        assert ("minus the margin" in reason) == (margin is not None and (read.below or high < -margin))
    assert reason


@pytest.mark.parametrize(
    ("atoms", "word"),
    [
        ([], "not tested"),
        (["holds", "kept", "equal"], "holds"),
        (["holds", "absent"], "fails"),
        (["present", "insensitive"], "partly"),
        (["holds", "not tested"], "partly"),
        (["present"], "partly"),
        (["insensitive", "undecided"], "undecided"),
        (["insensitive", "not tested"], "insensitive"),
        (["not tested"], "not tested"),
    ],
)
def test_the_word_of_a_claim(atoms, word):
    assert words.of_claim(atoms) == word


@given(st.lists(st.sampled_from(words.WORDS), min_size=1), st.randoms())
def test_the_order_of_atoms_does_not_matter_and_one_bad_atom_fails_the_claim(atoms, random):
    shuffled = random.sample(atoms, len(atoms))
    assert words.of_claim(atoms) == words.of_claim(shuffled)
    assert words.of_claim([*atoms, "absent"]) == "fails"
    assert words.of_claim([*atoms, "undecided"]) != "holds"
