import numpy as np
import pytest

from eisbach.data.scores import captions
from eisbach.data.scores.arrange import Arrangement, Note
from eisbach.data.scores.ensembles import ENSEMBLES
from eisbach.data.scores.pieces import listed


def scale(steps, tonic):
    return [Note(float(place), 1.0, tonic + step, 80) for place, step in enumerate(steps)]


MAJOR = [0, 4, 7, 0, 2, 4, 5, 7, 9, 11, 12, 4, 7, 0]
MINOR = [0, 3, 7, 0, 2, 3, 5, 7, 8, 11, 12, 3, 7, 0]


@pytest.mark.parametrize(
    ("steps", "tonic", "key"), [(MAJOR, 60, "C major"), (MINOR, 57, "A minor"), (MAJOR, 61, "D flat major")]
)
def test_a_plain_scale_names_its_key(steps, tonic, key):
    assert captions.key(scale(steps, tonic)) == key


def test_all_twelve_notes_have_no_key():
    assert captions.key(scale(range(12), 60)) == ""
    assert captions.key([]) == ""


def arrangement(contrast):
    return Arrangement(
        ensemble=ENSEMBLES[0], programs=[40], parts=[scale(MAJOR, 60)], levels_db=[0.0], seconds=10.0,
        contrast=contrast, shape="swell", tempo_bpm=120.0, metre="3/4", bar=0, transposition=0, mean_playing=1.0,
        homophony=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_captions_speak_of_dynamics_as_they_are(seed):
    draw = np.random.default_rng(seed)
    flat = captions.facts(listed()[0], arrangement(0.1), draw)
    strong = captions.facts(listed()[0], arrangement(0.9), draw)
    assert flat.dynamics in captions.EVEN
    assert "swelling to a climax" in captions.caption(strong, draw)
    assert "swelling" not in captions.caption(flat, draw)


@pytest.mark.parametrize("seed", range(12))
def test_every_phrasing_names_ensemble_tempo_and_key(seed):
    draw = np.random.default_rng(seed)
    known = captions.facts(listed()[0], arrangement(0.9), draw)
    text = captions.caption(known, draw)
    assert "string quartet" in text.lower()
    assert "fast" in text.lower()
    assert "in C major" in text
    assert "{" not in text


def test_aspects_are_short_phrases():
    known = captions.facts(listed()[0], arrangement(0.5), np.random.default_rng(0))
    listed_aspects = captions.aspects(known)
    assert {"string quartet", "120 bpm", "in 3/4 time", "C major"} <= set(listed_aspects)
