"""Which recordings are for fine-tuning and which are held out, and which clips are taken where there are too many."""

from collections.abc import Collection, Mapping, Sequence

from eisbach.errors import UserError
from eisbach.seeds import derive


def assigned(recordings: Mapping[str, tuple[str, str]], share: float, seed: int) -> dict[str, str]:
    """The split of every piece, of recordings by name: (piece, split or "").

    Either every recording has a split or none has, and then `draw` gives them. Raises UserError when only some have,
    or a piece has two.
    """
    split: dict[str, str] = {}
    for name, (piece, given) in recordings.items():
        if split.setdefault(piece, given) != given:
            raise UserError(
                f"'{piece}' is both in split '{split[piece]}' and, with {name}, in '{given}'; correct the table"
            )
    if all(split.values()):
        return split
    if any(split.values()):
        name = next(name for name, (_, given) in recordings.items() if not given)
        raise UserError(f"{name} has no split and others have one; give every file a split, or none")
    return draw(split, share, seed)


def draw(pieces: Collection[str], share: float, seed: int) -> dict[str, str]:
    """heldout for about `share` of the pieces, finetune for the others, and at least one piece for each.

    A seeded hash of the piece's name decides, so that a further piece moves no other beyond those two. Raises
    UserError for fewer than two pieces.
    """
    places = {piece: derive(seed, "split", piece) / 2**63 for piece in pieces}
    if len(places) < 2:
        raise UserError(
            f"music of {len(places)} piece cannot be divided into two splits; add some, or choose another column for "
            "prepare.corpus.group in params.yaml, or write a column 'split' into the table of captions"
        )
    ordered = sorted(places, key=places.get)
    return {
        piece: "heldout" if piece == ordered[0] or (place < share and piece != ordered[-1]) else "finetune"
        for piece, place in places.items()
    }


def taken(clips: Sequence[tuple[str, str]], count: int, seed: int) -> list[int]:
    """Places of the `count` clips that are used of `clips`, (clip_id, piece): one of every piece, then a second, ...

    In the order in which a larger count adds to them.
    """
    ordered = sorted(range(len(clips)), key=lambda place: derive(seed, "order", clips[place][0]))
    seen: dict[str, int] = {}
    turn = {}
    for place in ordered:
        piece = clips[place][1]
        turn[place] = seen[piece] = seen.get(piece, -1) + 1
    return sorted(ordered, key=turn.get)[:count]
