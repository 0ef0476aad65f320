"""Assign recordings to the splits finetune and heldout, and choose the clips of a split."""

from collections.abc import Collection, Mapping, Sequence

from eisbach.errors import UserError
from eisbach.seeds import derive


def assign(recordings: Mapping[str, tuple[str, str]], share: float, seed: int) -> dict[str, str]:
    """The split of every piece; `recordings` maps a recording's name to (piece, split or "").

    Either all recordings have a split, or none has and `draw` assigns them. Raises UserError when only some have one,
    or when a piece has two.
    """
    split: dict[str, str] = {}
    for name, (piece, given) in recordings.items():
        if split.setdefault(piece, given) != given:
            raise UserError(
                f"'{piece}' is in split '{split[piece]}' and, through {name}, in '{given}'; correct the table of "
                "captions"
            )
    if all(split.values()):
        return split
    if any(split.values()):
        name = next(name for name, (_, given) in recordings.items() if not given)
        raise UserError(f"{name} has no split, but others have one; give all files a split, or none")
    return draw(split, share, seed)


def draw(pieces: Collection[str], share: float, seed: int) -> dict[str, str]:
    """heldout for about `share` of the pieces, finetune for the others; each split has at least one piece.

    A seeded hash of the piece's name decides. A new piece moves at most the two pieces that keep a split from being
    empty. Raises UserError for fewer than two pieces.
    """
    draws = {piece: derive(seed, "split", piece) / 2**63 for piece in pieces}
    if len(draws) < 2:
        raise UserError(
            f"{len(draws)} piece of music cannot be divided into two splits; add music, or change the column of "
            "prepare.corpus.group in params.yaml, or add a column 'split' to the table of captions"
        )
    ordered = sorted(draws, key=draws.get)
    return {
        piece: "heldout" if piece == ordered[0] or (value < share and piece != ordered[-1]) else "finetune"
        for piece, value in draws.items()
    }


def choose(clips: Sequence[tuple[str, str]], count: int, seed: int) -> list[int]:
    """Indices of `count` of `clips`, (clip_id, piece): one clip of every piece, then a second, and so on.

    A larger `count` adds clips at the end.
    """
    ordered = sorted(range(len(clips)), key=lambda index: derive(seed, "order", clips[index][0]))
    latest: dict[str, int] = {}
    turn = {}
    for index in ordered:
        piece = clips[index][1]
        turn[index] = latest[piece] = latest.get(piece, -1) + 1
    return sorted(ordered, key=turn.get)[:count]
