"""Read scores from music21's corpus as lists of notes, cached by content.

Only the first BARS bars are read: music21 takes fifty times as long for a whole quartet, and no clip needs it.
"""

import hashlib
import io
import json
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from eisbach.errors import UserError
from eisbach.pipeline.files import replacing

BARS = 32
CHORDAL = 0.25  # a part is split into its top line and the rest where more than this share of onsets are chords


@dataclass(frozen=True)
class Score:
    """Times are in quarter notes from the start of the score."""

    parts: list[list[list[float]]]  # per part, from high to low: [onset, duration, MIDI pitch], by onset
    bars: list[list]  # [onset, time signature such as "3/4"]
    length: float


def load(name: str, cache: Path) -> Score:
    """The score at the path `name` in music21's corpus; parsed again only when its file or this module changes.

    Raises UserError when the file cannot be read.
    """
    content = _read(name)
    key = hashlib.sha256(content + Path(__file__).read_bytes() + version("music21").encode()).hexdigest()
    path = cache / "notes" / f"{key}.json"
    if path.exists():
        return Score(**json.loads(path.read_text()))
    score = parse(_first_bars(content))
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(asdict(score)))
    return score


def parse(musicxml: str) -> Score:
    """Parse MusicXML: ties are joined, grace notes and silent parts dropped, repeats not played."""
    from music21 import converter

    stream = converter.parseData(musicxml, format="musicxml")
    parts = [layer for part in stream.parts for layer in _layers(_notes(part)) if layer]
    bars = [
        [float(bar.offset), _metre(bar)]
        for bar in stream.parts[0].getElementsByClass("Measure")
        if bar.duration.quarterLength > 0
    ]
    return Score(parts, bars, max(onset + duration for part in parts for onset, duration, _ in part))


def _metre(bar) -> str:
    """The time signature of a bar; without one, as many quarters as the bar is long."""
    signature = bar.getContextByClass("TimeSignature")
    return signature.ratioString if signature else f"{max(1, round(bar.duration.quarterLength))}/4"


def _notes(part) -> list[list[float]]:
    """[onset, duration, MIDI pitch] of every note of a music21 part."""
    notes, last = [], {}
    for element in part.flatten().notes:
        if element.duration.isGrace or not element.duration.quarterLength or not element.pitches:
            continue
        onset, duration = float(element.offset), float(element.duration.quarterLength)
        for single in getattr(element, "notes", (element,)):
            pitch, tied = int(single.pitch.midi), single.tie is not None and single.tie.type != "start"
            before = last.get(pitch)
            if tied and before is not None and abs(before[0] + before[1] - onset) < 1e-3:
                before[1] += duration
            else:
                last[pitch] = [onset, duration, pitch]
                notes.append(last[pitch])
    return notes


def _layers(notes: list[list[float]]) -> list[list[list[float]]]:
    """Split a part of many chords into its top line and the rest, so that a piano too has parts that can rest."""
    highest: dict[float, float] = {}
    for onset, _, pitch in notes:
        highest[onset] = max(pitch, highest.get(onset, 0))
    top = [note for note in notes if note[2] == highest[note[0]]]
    rest = [note for note in notes if note[2] != highest[note[0]]]
    return [top, rest] if len({note[0] for note in rest}) > CHORDAL * len(highest) else [notes]


def _read(name: str) -> bytes:
    """The MusicXML of a file of the corpus, unzipped."""
    from music21 import common

    path = common.getCorpusFilePath() / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"the score {name} cannot be read from music21's corpus; reinstall music21 with its corpus"
        ) from error
    if path.suffix != ".mxl":
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        return archive.read(next(e.attrib["full-path"] for e in container.iter() if e.tag.endswith("rootfile")))


def _first_bars(content: bytes) -> str:
    """MusicXML without the bars after BARS."""
    root = ElementTree.fromstring(content)
    for part in root.iter("part"):
        for bar in part.findall("measure")[BARS:]:
            part.remove(bar)
    return ElementTree.tostring(root, encoding="unicode")
