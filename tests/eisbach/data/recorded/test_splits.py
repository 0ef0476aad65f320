import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.data.contrast import contrast_class
from eisbach.data.recorded import measured, splits
from eisbach.errors import UserError

NAMES = st.sets(st.text(max_size=8), min_size=2, max_size=40)


@given(NAMES, st.floats(0.01, 0.99), st.integers(0, 5))
def test_both_splits_have_music_and_order_has_no_say(pieces, share, seed):
    split = splits.draw(sorted(pieces), share, seed)
    assert set(split.values()) == {"finetune", "heldout"}
    assert split == splits.draw(sorted(pieces, reverse=True), share, seed)


@given(NAMES, st.text(min_size=9, max_size=9), st.integers(0, 5))
def test_one_more_piece_moves_at_most_the_two_that_kept_a_split_from_being_empty(pieces, another, seed):
    before = splits.draw(pieces, 0.2, seed)
    after = splits.draw(pieces | {another}, 0.2, seed)
    assert sum(before[piece] != after[piece] for piece in pieces) <= 2


def test_the_share_is_kept():
    split = splits.draw([f"piece {place}" for place in range(4000)], 0.2, 0)
    assert np.mean([name == "heldout" for name in split.values()]) == pytest.approx(0.2, abs=0.02)


def test_given_splits_are_all_or_none():
    both = {"a": ("x", "finetune"), "b": ("y", "heldout")}
    assert splits.assigned(both, 0.5, 0) == {"x": "finetune", "y": "heldout"}
    with pytest.raises(UserError, match="c has no split"):
        splits.assigned({**both, "c": ("z", "")}, 0.5, 0)
    with pytest.raises(UserError, match="'y' is both in split 'heldout' and, with d, in 'finetune'"):
        splits.assigned({**both, "d": ("y", "finetune")}, 0.5, 0)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 3))
def test_every_piece_is_heard_once_before_any_is_heard_again(pieces, seed):
    clips = [(f"clip {place}", str(piece)) for place, piece in enumerate(pieces)]
    order = splits.taken(clips, len(clips), seed)
    assert sorted(order) == list(range(len(clips)))
    kinds = len(set(pieces))
    assert len({pieces[place] for place in order[:kinds]}) == kinds
    assert splits.taken(clips, kinds, seed) == order[:kinds]


@given(st.lists(st.floats(0, 60), min_size=3, max_size=60, unique=True))
def test_measured_classes_are_the_thirds_of_the_reference(ranges):
    contrast = measured.contrast(np.array(ranges), np.array(ranges))
    assert ((contrast > 0) & (contrast < 1)).all()
    assert (np.argsort(contrast) == np.argsort(ranges)).all()
    counts = [sum(contrast_class(one) == name for one in contrast) for name in ("flat", "middle", "contrast")]
    assert max(counts) - min(counts) <= 1


def test_latents_that_fade_have_a_range_and_even_ones_have_none():
    even = np.ones((4, 100))
    assert measured.energy_range_db(even) == pytest.approx(0)
    fading = even * 10 ** (-np.linspace(0, 40, 100) / 20)
    assert measured.energy_range_db(fading) == pytest.approx(0.85 * 40, rel=0.02)
