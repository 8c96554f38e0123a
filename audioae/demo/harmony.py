"""Keys, chords and chord progressions.

Conventions: pitches are MIDI numbers (69 = 440 Hz); degrees count scale steps from the tonic (0); times are in beats
(quarter notes) from the start of the track.
"""

from dataclasses import dataclass

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
PROGRESSIONS = {  # chords by their degree; a style picks a family, a track picks one of its progressions
    "pop": ((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (0, 3, 4, 3), (0, 3, 5, 4)),
    "minor": ((0, 5, 2, 6), (0, 3, 5, 4), (0, 6, 5, 6), (0, 0, 5, 6), (0, 2, 3, 5)),
    "jazz": ((1, 4, 0, 5), (0, 5, 1, 4), (2, 5, 1, 4), (0, 3, 1, 4), (3, 6, 2, 5)),
    "drone": ((0, 0, 3, 3), (0, 5), (0, 1, 0, 6), (0, 3)),
    "vamp": ((0, 3), (0, 4, 3, 4), (0, 6), (0, 3, 4, 0), (0, 5, 3, 4)),
}
CHORDS = {"power": (0, 4, 7), "triad": (0, 2, 4), "seventh": (0, 2, 4, 6), "ninth": (0, 2, 6, 8), "open": (0, 4, 8)}


@dataclass(frozen=True)
class Key:
    tonic: int  # 0 = C
    mode: str

    @property
    def name(self) -> str:
        return KEYS[self.tonic]

    def pitch(self, degree: int) -> int:
        """MIDI pitch of a scale degree; degree 0 is in the octave above middle C.

        >>> [Key(9, "minor").pitch(d) for d in (0, 2, 4, 7)]
        [69, 72, 76, 81]
        """
        octave, step = divmod(degree, 7)
        return 60 + self.tonic + 12 * octave + SCALES[self.mode][step]


@dataclass(frozen=True)
class Span:
    """One chord in time, starting in bar `bar`. `push` in [0, 1] is how hard the section drives."""

    beat: float
    beats: float
    degree: int
    bar: int
    push: float
    fill: bool = False  # the last chord before a new section


def chord_pitches(key: Key, degree: int, kind: str, center: float) -> list[int]:
    """The chord on `degree`, each tone in the octave nearest to `center`, low to high: this gives smooth voice leading.

    >>> chord_pitches(Key(0, "major"), 3, "triad", 64)
    [60, 65, 69]
    """
    return sorted(near(key.pitch(degree + step), center) for step in CHORDS[kind])


def near(pitch: int, center: float) -> int:
    """The same pitch class in the octave around `center`.

    >>> near(60, 40)
    36
    """
    return pitch + 12 * round((center - pitch) / 12)
