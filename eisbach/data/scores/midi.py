"""An arrangement as the bytes of a MIDI file: one channel per part, dynamics as velocity and expression."""

import io

from eisbach.data.scores.arrange import LEVELS_HZ, Arrangement

TICKS_PER_SECOND = 960
VOLUME, PAN, EXPRESSION = 7, 10, 11  # controller numbers
DRUMS = 9  # General MIDI reserves this channel for percussion


def to_midi(arrangement: Arrangement) -> bytes:
    """A type 1 file, one track per part. The synthesiser's gain is 40 log10(controller value / 127) dB."""
    import mido

    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_SECOND // 2)  # at MIDI's default of 120 beats a minute
    for part, (program, notes) in enumerate(zip(arrangement.programs, arrangement.parts, strict=True)):
        channel = part if part < DRUMS else part + 1
        events = [
            (0.0, 0, mido.Message("control_change", channel=channel, control=VOLUME, value=127)),
            (0.0, 0, mido.Message("control_change", channel=channel, control=PAN, value=_pan(part, arrangement))),
            (0.0, 0, mido.Message("program_change", channel=channel, program=program)),
        ]
        events += [(time, 1, mido.Message("control_change", channel=channel, control=EXPRESSION, value=value))
                   for time, value in _expression(arrangement.levels_db)]  # fmt: skip
        for note in notes:
            target = {"channel": channel, "note": note.pitch}
            events.append((note.onset, 3, mido.Message("note_on", velocity=note.velocity, **target)))
            events.append((note.onset + note.duration, 2, mido.Message("note_off", **target)))
        file.tracks.append(_track(events))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _track(events: list[tuple]):
    """A track of (seconds, priority, message): at one tick, lower priorities come first."""
    import mido

    track, now = mido.MidiTrack(), 0
    for time, _, message in sorted(events, key=lambda event: (round(event[0] * TICKS_PER_SECOND), event[1])):
        tick = round(time * TICKS_PER_SECOND)
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def _expression(levels_db: list[float]) -> list[tuple[float, int]]:
    """(seconds, controller value) at every change of the value."""
    values = [round(127 * 10 ** (level / 40)) for level in levels_db]
    return [(i / LEVELS_HZ, value) for i, value in enumerate(values) if i == 0 or value != values[i - 1]]


def _pan(part: int, arrangement: Arrangement) -> int:
    """High parts on the left, low parts on the right, like the seats of an orchestra."""
    count = len(arrangement.parts)
    return 64 if count == 1 else round(40 + 48 * part / (count - 1))
