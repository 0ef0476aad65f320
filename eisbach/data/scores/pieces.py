"""Which scores the corpus is made of, and which split each belongs to.

pieces.json lists public-domain works in music21's corpus whose encodings may be distributed; works with rights
reserved or non-commercial terms are left out. The unit of a split is the *work*: all movements of a quartet, all
chorales of a cantata, go to the same split.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from eisbach.errors import UserError
from eisbach.seeds import derive

LISTED = Path(__file__).parents[1] / "pieces.json"
SHARES = {"base": 0.6, "finetune": 0.25, "heldout": 0.15}  # of the works; fixed, so that counts move nothing


@dataclass(frozen=True)
class Piece:
    """One file of music21's corpus: `name` is its path there, `work` what it is a movement of."""

    name: str
    work: str
    composer: str
    era: str
    genre: str
    licence: str


@cache
def listed(path: Path = LISTED) -> tuple[Piece, ...]:
    """Every listed piece. Raises UserError when the list cannot be read."""
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
    """The split of a work: a seeded hash, so neither counts nor other works have a say."""
    place = derive(seed, "split", work) / 2**63
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    return split


def ordered(split: str, seed: int, path: Path = LISTED) -> list[Piece]:
    """The pieces of a split in the order in which its clips use them: clip k takes piece k, going round.

    Raises UserError for an unknown split.
    """
    if split not in SHARES:
        raise UserError(f"'prepare.clips.{split}' in params.yaml is no split; the splits are {', '.join(SHARES)}")
    pieces = [piece for piece in listed(path) if split_of(piece.work, seed) == split]
    return sorted(pieces, key=lambda piece: derive(seed, "order", piece.name))


def _work(name: str) -> str:
    """bach/bwv248.9-1.mxl -> bach/bwv248; mozart/k80/movement1.mxl -> mozart/k80; book and number elsewhere."""
    if chorale := re.match(r"bach/bwv\d+", name):
        return chorale[0]
    return re.sub(r"/movement\d+|/\d\w+$", "", re.sub(r"\.\w+$", "", name))
