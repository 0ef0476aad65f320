import numpy as np
import pytest

from eisbach.data.scores import captions
from eisbach.data.scores.arrange import Arrangement, Note
from eisbach.data.scores.ensembles import ENSEMBLES
from eisbach.data.scores.pieces import listed


def scale(steps, tonic):
    return [Note(float(onset), 1.0, tonic + step, 80) for onset, step in enumerate(steps)]


MAJOR = [0, 4, 7, 0, 2, 4, 5, 7, 9, 11, 12, 4, 7, 0]
MINOR = [0, 3, 7, 0, 2, 3, 5, 7, 8, 11, 12, 3, 7, 0]


@pytest.mark.parametrize(
    ("steps", "tonic", "key"), [(MAJOR, 60, "C major"), (MINOR, 57, "A minor"), (MAJOR, 61, "D flat major")]
)
def test_a_plain_scale_names_its_key(steps, tonic, key):
    assert captions.key(scale(steps, tonic)) == key


@pytest.mark.parametrize("steps", [range(12), []])
def test_all_twelve_notes_and_silence_have_no_key(steps):
    assert captions.key(scale(steps, 60)) == ""


def arrangement(contrast):
    return Arrangement(
        ensemble=ENSEMBLES[0], programs=[40], parts=[scale(MAJOR, 60)], levels_db=[0.0], seconds=10.0,
        contrast=contrast, shape="swell", tempo_bpm=120.0, metre="3/4", bar=0, transposition=0, mean_playing=1.0,
        homophony=0.0,
    )  # fmt: skip


class Choice:
    """Replaces a random generator: always the same index, modulo the number of choices."""

    def __init__(self, index):
        self.index = index

    def integers(self, count):
        return self.index % count


def written(contrast, index):
    facts = captions.extract_facts(listed()[0], arrangement(contrast), Choice(index))
    return facts, captions.caption(facts, Choice(index))


PHRASINGS = pytest.mark.parametrize("index", range(len(captions.TEMPLATES)))


@PHRASINGS
@pytest.mark.parametrize(("contrast", "degree"), [(0.5, "moderately contrasted"), (0.9, "strongly contrasted")])
def test_captions_of_contrasted_clips_name_degree_and_shape(index, contrast, degree):
    _, text = written(contrast, index)
    assert f"{degree}, swelling to a climax" in text


@PHRASINGS
def test_captions_of_flat_clips_say_that_the_level_is_even(index):
    facts, text = written(0.1, index)
    assert facts.dynamics in captions.EVEN_PHRASES
    assert facts.dynamics in text
    assert "swelling" not in text


@PHRASINGS
def test_every_phrasing_names_ensemble_tempo_and_key(index):
    _, text = written(0.9, index)
    assert "string quartet" in text.lower()
    assert "fast" in text.lower()
    assert "in C major" in text
    assert "{" not in text


def test_aspects_list_the_facts_as_short_phrases():
    facts = captions.extract_facts(listed()[0], arrangement(0.5), np.random.default_rng(0))
    assert {"string quartet", "120 bpm", "in 3/4 time", "C major"} <= set(captions.aspects(facts))
