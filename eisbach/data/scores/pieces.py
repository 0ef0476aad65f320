"""The list of scores, and the split of each.

pieces.json lists public-domain works in music21's corpus whose encodings may be distributed; works with rights
reserved or non-commercial terms are left out. The unit of a split is the *work*: all movements of a quartet and all
chorales of a cantata are in the same split.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from eisbach.errors import UserError
from eisbach.seeds import derive

LISTED = Path(__file__).parents[1] / "pieces.json"
SHARES = {"base": 0.6, "finetune": 0.25, "heldout": 0.15}  # of the works; constants, so that no count changes a split


@dataclass(frozen=True)
class Piece:
    """One file of music21's corpus."""

    name: str  # its path in music21's corpus
    work: str  # the work of which it is a movement
    composer: str
    era: str
    genre: str
    licence: str


@cache
def listed(path: Path = LISTED) -> tuple[Piece, ...]:
    """All pieces of the list. Raises UserError when the list cannot be read."""
    try:
        groups = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"the list of scores {path} cannot be read ({error}); set 'prepare.corpus.path' in params.yaml to "
            "eisbach/data/pieces.json"
        ) from error
    return tuple(
        Piece(name, _work(name), group["composer"], group["era"], group["genre"], group["licence"])
        for group in groups
        for name in (f"{group['folder']}/{file}" for file in group["pieces"])
    )


def split_of(work: str, seed: int) -> str:
    """The split of a work, by a seeded hash: independent of the counts and of the other works."""
    draw = derive(seed, "split", work) / 2**63
    for split, share in SHARES.items():
        if draw < share:
            return split
        draw -= share
    return split


def ordered(split: str, seed: int, path: Path = LISTED) -> list[Piece]:
    """The pieces of a split in the order of its clips: clip k takes piece k modulo their number.

    Raises UserError for an unknown split.
    """
    if split not in SHARES:
        raise UserError(f"'prepare.clips.{split}' in params.yaml is not a split; the splits are {', '.join(SHARES)}")
    pieces = [piece for piece in listed(path) if split_of(piece.work, seed) == split]
    return sorted(pieces, key=lambda piece: derive(seed, "order", piece.name))


def _work(name: str) -> str:
    """bach/bwv248.9-1.mxl -> bach/bwv248, mozart/k80/movement1.mxl -> mozart/k80; else the name without its suffix."""
    if chorale := re.match(r"bach/bwv\d+", name):
        return chorale[0]
    return re.sub(r"/movement\d+|/\d\w+$", "", re.sub(r"\.\w+$", "", name))
