"""Arrange an excerpt of a score: draw its start, tempo, transposition, ensemble and contrast."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eisbach.data.scores import dynamics
from eisbach.data.scores.ensembles import Ensemble, programs, to_range
from eisbach.data.scores.notes import Score
from eisbach.seeds import numpy_generator

QUARTERS_PER_MINUTE = (60, 132)
TRANSPOSE = range(-5, 7)  # semitones
COVERED = 0.9  # an excerpt may start where at least half of the parts sound in this share of its time
SEGMENT_QUARTERS = 2.0  # parts enter and rest on this grid
VELOCITY = 112  # MIDI velocity of the loudest point
VELOCITY_SHARE = 1 / 3  # of the dynamics in dB comes from velocity, so that soft notes have a softer timbre too
LEVELS_HZ = 20


@dataclass(frozen=True)
class Note:
    """One sounding note: seconds from the start of the clip, MIDI pitch, MIDI velocity."""

    onset: float
    duration: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Arrangement:
    """The notes of a clip, and the facts for its caption."""

    ensemble: Ensemble
    programs: list[int]  # per part
    parts: list[list[Note]]  # per part, from high to low
    levels_db: list[float]  # of expression, LEVELS_HZ a second
    seconds: float
    contrast: float
    shape: str
    tempo_bpm: float  # of the beat: a dotted quarter in 6/8, a half in 2/2
    metre: str
    bar: int  # the first bar of the excerpt, from 0
    transposition: int
    mean_playing: float  # number of parts in play, mean over time
    homophony: float  # share of onsets at which another part starts a note too, in [0, 1]


def arrange(score: Score, seconds: float, seed: int, ensembles: Sequence[Ensemble], *purpose: object) -> Arrangement:
    """Arrange an excerpt of `seconds` for one of `ensembles`; equal (seed, purpose) gives an equal arrangement.

    The contrast label has its own generator, so it is independent of all else in the arrangement.
    """
    contrast = float(numpy_generator(seed, "contrast", *purpose).uniform())
    draw = numpy_generator(seed, "arrangement", *purpose)
    ensemble = ensembles[draw.integers(len(ensembles))]
    shape = dynamics.SHAPES[draw.integers(len(dynamics.SHAPES))]
    curve = dynamics.curve(shape, draw.uniform(0.35, 0.65))
    transposition = int(draw.choice(TRANSPOSE))
    fastest = min(QUARTERS_PER_MINUTE[1], int(60 * score.length / seconds))
    per_minute = int(draw.integers(min(QUARTERS_PER_MINUTE[0], fastest), fastest + 1))
    length = seconds * per_minute / 60  # quarters
    bar = _start(score, length, draw)
    priority = draw.permutation(len(score.parts))

    start, metre = score.bars[bar]
    players = programs(ensemble, len(score.parts))
    lines = [_excerpt(part, start, length) for part in score.parts]
    lines = [_transpose(line, transposition, player) for line, player in zip(lines, players, strict=True)]
    lines, mean_playing = _entries(lines, length, contrast, curve, priority)
    lines = _density(lines, length, contrast, curve, players, _beat(metre))
    quarter = 60 / per_minute
    return Arrangement(
        ensemble=ensemble,
        programs=players,
        parts=[[_note(event, quarter, seconds, contrast, curve) for event in line] for line in lines],
        levels_db=[
            float(level) * (1 - VELOCITY_SHARE)
            for level in dynamics.level_db(contrast, curve(np.linspace(0, 1, int(seconds * LEVELS_HZ) + 1)))
        ],
        seconds=seconds,
        contrast=contrast,
        shape=shape,
        tempo_bpm=per_minute / _beat(metre),
        metre=metre,
        bar=bar,
        transposition=transposition,
        mean_playing=mean_playing,
        homophony=_homophony(lines),
    )


# Below, a line is one part's excerpt: a list of [onset, duration, pitch], times in quarters from the clip's start.


def _start(score: Score, length: float, draw: np.random.Generator) -> int:
    """Draw the first bar, among those after which the score is long enough and well covered."""
    last = max(score.length - length, 0) + 1e-6
    possible = [bar for bar, (onset, _) in enumerate(score.bars) if onset <= last]
    cover = np.array([_covered(score, score.bars[bar][0], length) for bar in possible])
    good = np.flatnonzero(cover >= min(COVERED, cover.max()))
    return possible[int(draw.choice(good))]


def _covered(score: Score, start: float, length: float) -> float:
    """Share of [start, start + length) in which at least half of the parts sound."""
    times = start + np.arange(0.25, length, 0.5)
    sounding = np.zeros(len(times))
    for part in score.parts:
        onsets, durations, _ = np.array(part).T
        index = np.searchsorted(onsets, times, side="right") - 1
        sounding += (index >= 0) & (times < onsets[index] + durations[index] + 1e-6)
    return float(np.mean(sounding >= len(score.parts) / 2))


def _excerpt(part: list[list[float]], start: float, length: float) -> list[list[float]]:
    """Notes that sound in [start, start + length), cut to it, times relative to its start."""
    line = []
    for onset, duration, pitch in part:
        begin, end = max(onset - start, 0.0), min(onset + duration - start, length)
        if end - begin > 1e-3:
            line.append([begin, end - begin, int(pitch)])
    return line


def _transpose(line: list[list[float]], semitones: int, program: int) -> list[list[float]]:
    if not line:
        return line
    pitches = to_range([pitch + semitones for _, _, pitch in line], program)
    return [[onset, duration, pitch] for (onset, duration, _), pitch in zip(line, pitches, strict=True)]


def _entries(lines, length, contrast, curve, priority) -> tuple[list, float]:
    """Let parts rest where the intensity is low; returns the lines and the mean number of parts in play.

    In each segment the first parts in order of `priority` play, among those that have notes there.
    """
    count = int(np.ceil(length / SEGMENT_QUARTERS))
    resting, playing = np.zeros((len(lines), count), bool), np.zeros(count)
    for segment in range(count):
        low, high = segment * SEGMENT_QUARTERS, (segment + 1) * SEGMENT_QUARTERS
        active = [part for part in priority if any(on < high and on + last > low + 1e-3 for on, last, _ in lines[part])]
        allowed = dynamics.parts_playing(contrast, float(curve(min((low + high) / 2 / length, 1.0))), len(lines))
        resting[active[allowed:], segment] = True
        playing[segment] = min(allowed, len(active))
    kept = [
        [note for event in line for note in _sounding(event, rests)] for line, rests in zip(lines, resting, strict=True)
    ]
    return kept, float(playing.mean())


def _sounding(event: list[float], rests: np.ndarray) -> list[list[float]]:
    """Cut a note where its part rests: none, one or several shorter notes remain."""
    onset, duration, pitch = event
    kept, time, end = [], onset, onset + duration
    while time < end - 1e-3:
        segment = min(int(time / SEGMENT_QUARTERS + 1e-6), len(rests) - 1)
        stop = end if segment == len(rests) - 1 else min((segment + 1) * SEGMENT_QUARTERS, end)
        if not rests[segment]:
            if kept and kept[-1][0] + kept[-1][1] > time - 1e-6:
                kept[-1][1] = stop - kept[-1][0]
            else:
                kept.append([time, stop - time, pitch])
        time = stop
    return kept


def _density(lines, length, contrast, curve, players, beat) -> list:
    """Leave out notes off the beat where the intensity is low; double the outer parts where it is high."""
    result = []
    for part, (line, player) in enumerate(zip(lines, players, strict=True)):
        octave = {0: 12, len(lines) - 1: -12}.get(part)
        dense = []
        for onset, duration, pitch in line:
            intensity = float(curve(onset / length))
            if dynamics.thinned(contrast, intensity) and abs(onset / beat - round(onset / beat)) > 1e-3:
                continue
            dense.append([onset, duration, pitch])
            if octave and dynamics.doubled(contrast, intensity):
                dense.append([onset, duration, to_range([pitch + octave], player)[0]])
        result.append([list(note) for note in dict.fromkeys(map(tuple, dense))])
    return result


def _note(event, quarter, seconds, contrast, curve) -> Note:
    """An event as a Note; `quarter` is the length of a quarter in seconds."""
    onset, duration, pitch = event
    level = VELOCITY_SHARE * float(dynamics.level_db(contrast, curve(min(onset * quarter / seconds, 1.0))))
    return Note(onset * quarter, duration * quarter, int(pitch), round(VELOCITY * 10 ** (level / 40)))


def _beat(metre: str) -> float:
    """Quarters per beat: 1.5 in 3/8, 6/8 and the like, 2 in metres of halves, else 1."""
    over, under = map(int, metre.split("/"))
    if under == 8 and over % 3 == 0:
        return 1.5
    return 4 / under if under <= 4 else 1.0


def _homophony(lines) -> float:
    """Share of onsets, counted once a line, at which another line starts a note too."""
    onsets = [round(onset, 3) for line in lines for onset in {event[0] for event in line}]
    together = {onset for onset in onsets if onsets.count(onset) > 1}
    return sum(onset in together for onset in onsets) / max(len(onsets), 1)
