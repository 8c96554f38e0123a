"""Turn chords into notes: step strings for patterns that repeat, motifs for melodies.

Conventions
-----------
- A step string has one mark per sixteenth note, usually for one bar; another length drifts against the bar:
  `.` rest, `-` hold, `x` the chord, `X` the chord accented, `0` its root, `1` to `7` the chord tones above the lowest
  (beyond the top: an octave higher), `a` a step into the next chord's root. In drums: `x` hit, `X` accent, `o` ghost.
- A `Hit` is one note: beat, length in beats, MIDI pitch (or a drum's name) and velocity in [0, 1].
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from audioae.demo.harmony import Key, Span, chord_pitches, near

VELOCITY = {"x": 0.72, "X": 1.0, "o": 0.35}


class Hit(NamedTuple):
    beat: float
    beats: float
    sound: int | str
    velocity: float


def play_steps(steps: str, spans: Sequence[Span], key: Key, chord: str, center: float) -> list[Hit]:
    """Play a step string over the chords."""
    hits = []
    for span, following in zip(spans, [*spans[1:], spans[0]], strict=True):
        tones = chord_pitches(key, span.degree, chord, center)
        root = near(key.pitch(span.degree), center)
        first = round(span.beat * 4)
        for step in range(first, first + round(span.beats * 4)):
            mark = steps[step % len(steps)]
            if mark == "-" and step == first:  # a chord changes under a held note: strike again
                mark = next(
                    (
                        steps[(step - i) % len(steps)]
                        for i in range(len(steps))
                        if steps[(step - i) % len(steps)] != "-"
                    ),
                    ".",
                )
            if mark in ".-":
                continue
            held = _held(steps, step, first + round(span.beats * 4))
            accent = 0.06 if step % 4 == 0 else -0.06
            if mark in "xX":
                hits += [Hit(step / 4, held / 4, tone, VELOCITY[mark] + accent) for tone in tones]
            elif mark == "a":
                target = near(key.pitch(following.degree), center)
                hits.append(Hit(step / 4, held / 4, target + (1 if step % 3 else -1), 0.66))
            else:
                i = int(mark)
                pitch = root if i == 0 else tones[i % len(tones)] + 12 * (i // len(tones))
                hits.append(Hit(step / 4, held / 4, pitch, 0.72 + accent))
    return hits


def play_drums(layers: dict[str, str], spans: Sequence[Span], energy: float, rng: np.random.Generator) -> list[Hit]:
    """Play a groove: calm sections drop the last layers, fills break the pattern."""
    hits = []
    for span in spans:
        n_layers = max(1, round(len(layers) * (0.3 + 0.45 * energy + 0.4 * span.push)))
        first = round(span.beat * 4)
        for drum, steps in list(layers.items())[:n_layers]:
            for step in range(first, first + round(span.beats * 4)):
                mark = steps[step % len(steps)]
                if mark == "." and rng.random() < 0.03 * energy and "hat" in drum:
                    mark = "o"
                if mark in VELOCITY and not (mark == "o" and rng.random() > 0.5 + energy):
                    hits.append(Hit(step / 4, 0.25, drum, VELOCITY[mark]))
        if span.fill and len(layers) > 2:
            drums = list(layers)[1:3]
            for i in range(int(rng.integers(3, 8))):
                beat = span.beat + span.beats - 0.25 * (i + 1)
                hits.append(Hit(beat, 0.25, drums[int(rng.integers(len(drums)))], 0.9 - 0.07 * i))
    return hits


def melody(
    spans: Sequence[Span], key: Key, center: float, density: float, rng: np.random.Generator, legato: bool = False
) -> list[Hit]:
    """A tune in the form A A B A of two-bar phrases: motifs return, strong beats have chord tones."""
    motifs = [_motif(density, rng) for _ in range(2)]
    hits: list[Hit] = []
    degree = int(rng.integers(-2, 3))
    phrases = sorted({span.bar // 2 for span in spans})
    for number, phrase in enumerate(phrases):
        inside = [span for span in spans if span.bar // 2 == phrase]
        start = inside[0].beat
        for step, length, move in motifs[1 if number % 4 == 2 else 0]:
            span = next((s for s in inside if s.beat <= start + step / 4 < s.beat + s.beats), None)
            if span is None:
                continue
            degree += move
            degree -= 7 * round(degree / 12)
            if step % 8 == 0:
                degree = min(
                    (span.degree + s + 7 * o for s in (0, 2, 4) for o in (-2, -1, 0, 1)), key=lambda d: abs(d - degree)
                )
            pitch = key.pitch(degree) + 12 * round((center - key.pitch(0)) / 12)
            held = length / 4 * (1.02 if legato else 0.85)
            hits.append(Hit(start + step / 4, held, pitch, 0.7 + 0.15 * (step % 4 == 0) + 0.1 * rng.random()))
    return hits


def _motif(density: float, rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """(step, length, move in degrees) over 32 sixteenths; the end is a rest."""
    lengths, weights = (1, 2, 3, 4, 6, 8), np.exp(-np.abs(np.log2((1, 2, 3, 4, 6, 8)) - 3.2 * (1 - density)) * 1.6)
    notes, step = [], int(rng.choice((0, 0, 2, 4)))
    while step < 27:
        length = int(rng.choice(lengths, p=weights / weights.sum()))
        if step % 2 and length > 1:
            length = 1
        if rng.random() < 0.88:
            notes.append(
                (step, length, int(rng.choice((-3, -2, -1, 0, 1, 2, 3), p=(0.07, 0.13, 0.27, 0.06, 0.27, 0.13, 0.07))))
            )
        step += length
    return notes


def _held(steps: str, step: int, end: int) -> int:
    held = 1
    while step + held < end and steps[(step + held) % len(steps)] == "-":
        held += 1
    return held
