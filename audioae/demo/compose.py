"""Compose one track: an artist's sound, a form of sections, and the notes of every part.

Conventions: all randomness comes from the generator passed in; times are in beats until `Score.seconds` converts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioae.demo.harmony import PROGRESSIONS, Key, Span
from audioae.demo.patterns import Hit, melody, play_drums, play_steps
from audioae.demo.styles import Range, Style, StylePart

VOICE, SINGER = SUNG = ("voice", "singer")
QUIET = 0.2  # sections with less push are intros and breaks


@dataclass(frozen=True)
class Seat:
    """A part as one artist plays it."""

    part: StylePart
    instrument: str
    color: float
    position: float
    gain: float
    effects: float  # how much of the part's effects this artist uses


@dataclass(frozen=True)
class Sound:
    """The sound that an artist keeps on every track: the band, the kit, the room, the tempi and the feel."""

    seats: tuple[Seat, ...]
    tempo: float
    energy: float
    tonics: tuple[int, ...]
    mode: str
    swing: float
    tune: float
    ring: float
    bright: float
    swaps: dict[str, str]
    room_s: float
    wet: float
    damping_hz: float
    crackle: float


@dataclass(frozen=True)
class Line:
    seat: Seat
    hits: list[Hit]


@dataclass(frozen=True)
class Score:
    """A composed track, ready to render."""

    style: Style
    sound: Sound
    key: Key
    tempo: float
    energy: float
    duration_s: float
    lines: tuple[Line, ...]
    drums: list[Hit]

    def seconds(self, beats: float) -> float:
        """The time of a beat, with the artist's swing."""
        grid, swing = self.style.swing_beats, self.sound.swing
        pair, inside = divmod(beats, 2 * grid)
        late = inside * (1 + swing) if inside < grid else grid * (1 + swing) + (inside - grid) * (1 - swing)
        return (pair * 2 * grid + late) * 60 / self.tempo

    @property
    def instruments(self) -> list[str]:
        played = {line.seat.instrument for line in self.lines if line.hits}
        return sorted(played | ({"drums"} if self.drums else set()))

    @property
    def brightness(self) -> float:
        """How far the filters of the notes are open, about in [0, 1]."""
        return 0.05 + 0.75 * self.energy + 0.2 * (self.sound.bright - 0.9)

    @property
    def sung(self) -> bool:
        """Whether anyone sings before the end."""
        end = self.duration_s * self.tempo / 60
        return any(hit.beat < end for line in self.lines if line.seat.instrument in SUNG for hit in line.hits)

    @property
    def instrumentalness(self) -> float:
        """1 minus the share of the track that has singing."""
        sung = [hit for line in self.lines if line.seat.instrument in SUNG for hit in line.hits]
        sung_s = sum(hit.beats for hit in sung) * 60 / self.tempo
        return round(1 - min(sung_s / self.duration_s, 1), 3)


def make_sound(style: Style, rng: np.random.Generator) -> Sound:
    """Draw the sound of an artist who plays a style."""
    missing = [part for part in style.parts if rng.random() >= part.chance]
    missing = missing[: max(len(style.parts) - 3, 0)]  # at least three parts remain
    seats = []
    for i, part in enumerate(style.parts):
        seat = Seat(
            part,
            instrument=_pick(part.instruments, rng),
            color=float(rng.random()),
            position=float(rng.uniform(-0.6, 0.6)) if part.center > 48 and i else 0.0,
            gain=float(part.gain * 10 ** (rng.normal(0, 2) / 20)),
            effects=float(rng.uniform(0.3, 1)),
        )
        if part not in missing:
            seats.append(seat)
    return Sound(
        seats=tuple(seats),
        tempo=float(rng.random()),
        energy=float(rng.random()),
        tonics=tuple(int(t) for t in rng.choice(12, 5, replace=False)),
        mode=_pick(style.modes, rng),
        swing=_within(style.swing, rng),
        tune=float(rng.uniform(0.8, 1.25)),
        ring=float(rng.uniform(0.7, 1.5)),
        bright=float(rng.uniform(0.6, 1.2)),
        swaps=_pick(style.kits, rng),
        room_s=_within(style.room_s, rng),
        wet=_within(style.wet, rng),
        damping_hz=float(rng.uniform(1500, 6000)),
        crackle=float(style.crackle * rng.uniform(0.2, 1)),
    )


def compose(style: Style, sound: Sound, duration_s: float, rng: np.random.Generator) -> Score:
    """Compose one track in an artist's sound."""
    tempo = round(_between(style.tempo, 0.65 * sound.tempo + 0.35 * rng.random()), 1)
    energy = round(_between(style.energy, 0.3 * sound.energy + 0.7 * rng.random()), 3)
    mode = sound.mode if rng.random() < 0.6 else _pick(style.modes, rng)
    key = Key(int(rng.choice(sound.tonics)), mode)
    sections = _form(style, duration_s * tempo / 240, rng)
    cast = [_cast(sound.seats, i / len(sections), section[0].push, rng) for i, section in enumerate(sections)]
    lines = []
    for seat in sound.seats:
        spans = [span for section, playing in zip(sections, cast, strict=True) if seat in playing for span in section]
        lines.append(Line(seat, _play(seat.part, spans, key, energy, rng)))
    groove = {
        sound.swaps.get(drum, drum): steps
        for drum, steps in (_pick(style.grooves, rng) if style.grooves else {}).items()
    }
    drummed = [span for section in sections for span in section if span.push > QUIET or rng.random() < 0.15]
    drums = play_drums(groove, drummed, energy, rng) if groove else []
    return Score(style, sound, key, tempo, energy, duration_s, tuple(lines), drums)


def _form(style: Style, bars: float, rng: np.random.Generator) -> list[list[Span]]:
    """Sections of two or four bars: an intro, verses, lifts and a break; verse and lift have different chords."""
    n_bars = int(np.ceil(bars))
    size = 4 if n_bars >= 16 else 2
    chords = {name: _pick(PROGRESSIONS[_pick(style.progressions, rng)], rng) for name in ("verse", "lift")}
    chord_beats = float(rng.choice(style.chord_beats))
    n_sections = int(np.ceil(n_bars / size))
    names = ["verse", "verse", "lift", "verse", "lift", "lift", "verse"] * (n_sections // 7 + 1)
    names = names[:n_sections]
    pushes = [{"verse": 0.55, "lift": 0.9}[name] + float(rng.uniform(-0.1, 0.1)) for name in names]
    if rng.random() < 0.7:
        pushes[0] = 0.1
    if n_sections > 3 and rng.random() < 0.6:
        pushes[n_sections // 2] = 0.15
    sections = []
    for i, (name, push) in enumerate(zip(names, pushes, strict=True)):
        n_chords = max(int(4 * size / chord_beats), 1)
        spans = []
        for c in range(n_chords):
            beat = 4 * size * i + c * chord_beats
            degree = chords[name][c % len(chords[name])]
            spans.append(Span(beat, chord_beats, degree, int(beat // 4), push, fill=c == n_chords - 1))
        sections.append(spans)
    return sections


def _cast(seats: Sequence[Seat], progress: float, push: float, rng: np.random.Generator) -> list[Seat]:
    """Choose who plays in a section: nearly all who have entered by then, or one or two where it is quiet."""
    entered = [seat for seat in seats if seat.part.after <= progress]
    if push < QUIET:
        pitched = [seat for seat in entered if seat.part.center >= 48]
        steady = [seat for seat in pitched if all(seat.part.steps)] or pitched
        return [_pick(steady, rng), _pick(pitched, rng)]
    foundation = [seat for seat in entered if seat.part.after == 0 and all(seat.part.steps)]
    return [seat for seat in entered if rng.random() < (0.95 if seat in foundation else 0.8)] or foundation[:1]


def _play(part: StylePart, spans: Sequence[Span], key: Key, energy: float, rng: np.random.Generator) -> list[Hit]:
    steps = _pick(part.steps, rng)
    if not spans:
        return []
    if steps:
        return play_steps(steps, spans, key, part.chord, part.center)
    density = float(np.clip(part.density + 0.3 * (energy - 0.5), 0.02, 0.95))
    return melody(spans, key, part.center, density, rng, legato=VOICE in part.instruments)


def _between(span: Range, share: float) -> float:
    return span[0] + (span[1] - span[0]) * float(share)


def _within(span: Range, rng: np.random.Generator) -> float:
    return _between(span, rng.random())


def _pick(options, rng: np.random.Generator):
    return options[int(rng.integers(len(options)))]
