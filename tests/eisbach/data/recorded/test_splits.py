import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.data.recorded import splits
from eisbach.errors import UserError

NAMES = st.sets(st.text(max_size=8), min_size=2, max_size=40)
GIVEN = {"a": ("x", "finetune"), "b": ("y", "heldout")}


@given(NAMES, st.floats(0.01, 0.99), st.integers(0, 5))
def test_both_splits_have_pieces(pieces, share, seed):
    assert set(splits.draw(pieces, share, seed).values()) == {"finetune", "heldout"}


@given(NAMES, st.floats(0.01, 0.99), st.integers(0, 5))
def test_the_order_of_the_pieces_changes_no_split(pieces, share, seed):
    assert splits.draw(sorted(pieces), share, seed) == splits.draw(sorted(pieces, reverse=True), share, seed)


@given(NAMES, st.text(min_size=9, max_size=9), st.integers(0, 5))
def test_a_new_piece_moves_at_most_the_two_that_kept_a_split_from_being_empty(pieces, another, seed):
    before = splits.draw(pieces, 0.2, seed)
    after = splits.draw(pieces | {another}, 0.2, seed)
    assert sum(before[piece] != after[piece] for piece in pieces) <= 2


def test_the_heldout_share_is_as_set():
    split = splits.draw([f"piece {index}" for index in range(4000)], 0.2, 0)
    assert np.mean([name == "heldout" for name in split.values()]) == pytest.approx(0.2, abs=0.02)


def test_given_splits_are_kept():
    assert splits.assign(GIVEN, 0.5, 0) == {"x": "finetune", "y": "heldout"}


def test_splits_for_only_some_recordings_are_refused():
    with pytest.raises(UserError, match="c has no split"):
        splits.assign({**GIVEN, "c": ("z", "")}, 0.5, 0)


def test_two_splits_for_one_piece_are_refused():
    with pytest.raises(UserError, match="'y' is in split 'heldout' and, through d, in 'finetune'"):
        splits.assign({**GIVEN, "d": ("y", "finetune")}, 0.5, 0)


def pieces_and_clips(pieces):
    return [(f"clip {index}", str(piece)) for index, piece in enumerate(pieces)]


PIECES = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@given(PIECES, st.integers(0, 3))
def test_every_piece_gives_one_clip_before_any_gives_two(pieces, seed):
    chosen = splits.choose(pieces_and_clips(pieces), len(set(pieces)), seed)
    assert sorted(pieces[index] for index in chosen) == sorted(set(pieces))


@given(PIECES, st.integers(0, 40), st.integers(0, 3))
def test_a_larger_count_only_adds_clips_at_the_end(pieces, count, seed):
    order = splits.choose(pieces_and_clips(pieces), len(pieces), seed)
    assert sorted(order) == list(range(len(pieces)))
    assert splits.choose(pieces_and_clips(pieces), count, seed) == order[:count]
