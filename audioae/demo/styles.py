"""Styles: tempi, modes, chords, grooves, parts and rooms. Each has a file in presets/, and a new style is a new file.

An artist picks one instrument per part, a kit, a room and a corner of the tempo range; a track picks the patterns, the
chords, the key and the energy. Styles share instruments and overlap in tempo on purpose, so that neither identifies
a style.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from audioae.config import Config, load_config

Range = tuple[float, float]
PRESETS = Path(__file__).parent / "presets"


class StylePart(Config):
    """One part in the band."""

    instruments: tuple[str, ...]  # an artist picks one
    center: float  # the MIDI pitch around which it plays
    steps: tuple[str, ...] = ("",)  # patterns (see `patterns`), of which a track picks one; an empty one is a melody
    density: float = 0.5  # of a melody's notes, in [0, 1]
    chord: Literal["power", "triad", "seventh", "ninth", "open"] = "triad"
    gain: float = 1.0
    chance: float = 1.0  # how often an artist has this part
    after: float = 0.0  # the share of a track's sections before it enters
    strum_ms: float = 4.0  # between the tones of a chord
    drive: float = 0.0  # for each effect, the most that an artist uses
    chorus: float = 0.0
    tremolo: float = 0.0
    echo: float = 0.0


class Style(Config):
    """One style; ranges are (minimum, maximum)."""

    label: str
    tempo: Range
    modes: tuple[Literal["major", "minor", "dorian", "mixolydian"], ...]
    progressions: tuple[Literal["pop", "minor", "jazz", "drone", "vamp"], ...]
    parts: tuple[StylePart, ...]
    grooves: tuple[dict[str, str], ...] = ()  # drum: steps, the most important drum first
    kits: tuple[dict[str, str], ...] = ({},)  # drums that an artist swaps for others
    chord_beats: tuple[float, ...] = (4,)
    energy: Range = (0.2, 0.9)
    swing: Range = (0.0, 0.04)
    swing_beats: float = 0.25  # the notes that swing: every second sixteenth, or every second eighth
    loose_ms: float = 6.0  # standard deviation of human timing
    room_s: Range = (0.6, 1.8)
    wet: Range = (0.05, 0.2)
    duck: float = 0.0  # how far the kick lowers the other parts
    crackle: float = 0.0
    drum_gain: float = 1.0


@lru_cache(maxsize=1)
def load_styles() -> tuple[Style, ...]:
    """All styles, in the order of their files.

    >>> [style.label for style in load_styles()][:3]
    ['Ambient', 'Bossa Nova', 'Chiptune']
    """
    return tuple(load_config(Style, path) for path in sorted(PRESETS.glob("*.yaml")))
