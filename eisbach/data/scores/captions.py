"""Captions from facts about the score and the arrangement, in several phrasings."""

from dataclasses import dataclass

import numpy as np

from eisbach.data.contrast import contrast_class
from eisbach.data.scores.arrange import Arrangement, Note
from eisbach.data.scores.pieces import Piece

KEY_CORRELATION = 0.75  # no key is named at or below this correlation
TONICS = {
    "major": ("C", "D flat", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"),
    "minor": ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "G sharp", "A", "B flat", "B"),
}

SHAPE_PHRASES = {
    "crescendo": "growing steadily from soft and thin to loud and full",
    "diminuendo": "fading steadily from loud and full to soft and thin",
    "swell": "swelling to a climax and falling back",
    "dip": "falling to a hush in the middle and rising again",
    "step up": "soft and thin at first, then suddenly loud and full",
    "step down": "loud and full at first, then suddenly soft and thin",
    "echoes": "alternating between loud, full phrases and soft, thin echoes",
}
EVEN_PHRASES = ("at one even loudness throughout", "with flat, unchanging dynamics", "steady in volume and texture")
TEMPLATES = (
    "{Genre} played by {ensemble}, {tempo} at about {bpm} beats per minute{key}. It is {dynamics}. {Texture}.",
    "{Ensemble} plays {genre}{key}. The music is {tempo}, {metre}, and {dynamics}. {Texture}.",
    "{Tempo} music for {ensemble}{key}, {dynamics}; {texture}. The piece is {genre}.",
    "This {era} piece, {genre}, is performed by {ensemble} {metre}{key}. It is {tempo} and {dynamics}, {texture}.",
)


@dataclass(frozen=True)
class Facts:
    """The facts of a clip as words and numbers that a listener could check."""

    era: str
    genre: str
    ensemble: str
    name: str
    bpm: int
    tempo: str
    key: str  # "G minor", or empty where the correlation is too low
    metre: str
    dynamics: str
    texture: str
    density: str
    register: str


def extract_facts(piece: Piece, arrangement: Arrangement, draw: np.random.Generator) -> Facts:
    """The facts of an arrangement of `piece`; `draw` chooses between synonyms."""
    notes = [note for part in arrangement.parts for note in part]
    rate = len(notes) / arrangement.seconds
    pitch = float(np.mean([note.pitch for note in notes]))
    bpm = round(arrangement.tempo_bpm)
    return Facts(
        era=piece.era,
        genre=f"{_article(piece.genre)} {piece.genre} by {piece.composer}",
        ensemble=arrangement.ensemble.phrase,
        name=arrangement.ensemble.name,
        bpm=bpm,
        tempo=_word(bpm, (66, 84, 112), ("very slow", "slow", "moderately paced", "fast")),
        key=key(notes),
        metre=f"in {arrangement.metre} time",
        dynamics=_dynamics(arrangement, draw),
        texture=_texture(arrangement),
        density=_word(rate, (5, 10), ("sparse", "moderately dense", "dense")),
        register=_word(pitch, (55, 67), ("low register", "middle register", "high register")),
    )


def caption(facts: Facts, draw: np.random.Generator) -> str:
    """One to three sentences in a phrasing that `draw` chooses."""
    words = {
        "era": facts.era,
        "genre": facts.genre,
        "ensemble": facts.ensemble,
        "bpm": str(facts.bpm),
        "tempo": facts.tempo,
        "key": f" in {facts.key}" if facts.key else "",
        "metre": facts.metre,
        "dynamics": facts.dynamics,
        "texture": f"{facts.texture}, {facts.density}, mostly in the {facts.register}",
    }
    capitals = {word[0].upper() + word[1:]: text[:1].upper() + text[1:] for word, text in words.items()}
    return TEMPLATES[draw.integers(len(TEMPLATES))].format(**words, **capitals)


def aspects(facts: Facts) -> list[str]:
    """The facts as short phrases, like MusicCaps' aspect_list."""
    listed = [facts.name, facts.era, facts.tempo, f"{facts.bpm} bpm", facts.metre, facts.dynamics, facts.texture]
    return [*listed, facts.density, facts.register, *([facts.key] if facts.key else [])]


def key(notes: list[Note]) -> str:
    """The best correlated of the 24 keys (Krumhansl and Schmuckler), or "" where none exceeds KEY_CORRELATION."""
    from music21.analysis.discrete import KrumhanslSchmuckler

    weights = np.zeros(12)
    for note in notes:
        weights[note.pitch % 12] += note.duration
    if not np.ptp(weights):
        return ""
    analysis = KrumhanslSchmuckler()
    scores = {
        f"{name} {mode}": np.corrcoef(np.roll(analysis.getWeights(mode), tonic), weights)[0, 1]
        for mode, names in TONICS.items()
        for tonic, name in enumerate(names)
    }
    best = max(scores, key=scores.get)
    return best if scores[best] > KEY_CORRELATION else ""


def _dynamics(arrangement: Arrangement, draw: np.random.Generator) -> str:
    kind = contrast_class(arrangement.contrast)
    if kind == "flat":
        return EVEN_PHRASES[draw.integers(len(EVEN_PHRASES))]
    return f"{'strongly' if kind == 'contrast' else 'moderately'} contrasted, {SHAPE_PHRASES[arrangement.shape]}"


def _texture(arrangement: Arrangement) -> str:
    if arrangement.mean_playing < 1.5:
        return "a single line for most of the time"
    return "voices moving together in chords" if arrangement.homophony > 0.75 else "independent voices"


def _word(value: float, cuts: tuple[float, ...], words: tuple[str, ...]) -> str:
    return words[int(np.searchsorted(cuts, value, side="right"))]


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"
