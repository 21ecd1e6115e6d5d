"""A voice message of the sample data: a person hums three notes, made of a few waves."""

import math
import struct
from itertools import chain

RATE = 8000
# Of each note the pitch in Hz, and how long it is held in seconds.
NOTES = ((196.0, 0.7), (246.9, 0.5), (220.0, 0.9))
# How strong the voice's overtones are, as those of an M are.
OVERTONES = (1.0, 0.45, 0.22, 0.08)
LOUDNESS = 70


def hum() -> bytes:
    """Return two seconds of a voice as a WAV with 8 bits a sample."""
    samples = bytes(chain.from_iterable(_note(pitch, seconds) for pitch, seconds in NOTES))
    format = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE, 1, 8)
    content = b"WAVE" + format + struct.pack("<4sI", b"data", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _note(pitch: float, seconds: float) -> list[int]:
    count = int(RATE * seconds)
    return [round(128 + LOUDNESS * _swell(place / count) * _voice(pitch, place / RATE)) for place in range(count)]


def _swell(part: float) -> float:
    """Return how loud a note is at this part of it: it comes quickly and goes slowly."""
    return min(1.0, part * 12) * math.sqrt(1 - part)


def _voice(pitch: float, at: float) -> float:
    trembling = at * pitch * 2 * math.pi + 0.6 * math.sin(at * 5 * 2 * math.pi)
    return sum(share * math.sin(trembling * number) for number, share in enumerate(OVERTONES, 1)) / sum(OVERTONES)
