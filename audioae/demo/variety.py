"""The catalog for evaluations: a lead in every track, sung in half of them; tempo and energy that are not only style.

Conventions
-----------
- A lead is one melody in the same register, at the same loudness and with the same effects, sung or played. Half of an
  artist's tracks are sung, so neither style nor artist tells which.
- Played leads are the style's own melody instruments, and bowed and blown ones that sustain and have vibrato as a voice
  does. A choir's "ooh" and "aah" in the accompaniment is not singing.
- Tempo and energy are drawn from the style's range, moved `SPREAD` of the way to the range of all music. The energy
  decides how many parts play, and whether there are drums, besides what it decides in the demo.

Why the choir: the definitions that services publish count "ooh" and "aah" as instrumental.
"""

from dataclasses import replace

import numpy as np

from audioae.demo.compose import SINGER, VOICE, Seat, Sound
from audioae.demo.plan import TRACKS_PER_ARTIST
from audioae.demo.styles import Range, Style, StylePart

TEMPI: Range = (60.0, 180.0)
ENERGIES: Range = (0.0, 1.0)
SPREAD = 0.6
CALM = 0.3  # below this energy, drums become rare
SUSTAINED = ("violin", "cello", "clarinet", "melodica", "saw lead")


def sings(number: int, rng: np.random.Generator) -> bool:
    """Whether track `number` of an artist is sung; `rng` is the artist's.

    >>> sorted(sings(number, np.random.default_rng(0)) for number in range(4))
    [False, False, True, True]
    """
    return bool(rng.permutation(TRACKS_PER_ARTIST)[number] < TRACKS_PER_ARTIST // 2)


def vary(style: Style, sound: Sound, sung: bool, rng: np.random.Generator) -> tuple[Style, Sound]:
    """The style and the band of one track, to compose from."""
    tempo = _drawn(_widened(style.tempo, TEMPI), 0.5 * sound.tempo + 0.5 * rng.random())
    energy = _drawn(_widened(style.energy, ENERGIES), 0.3 * sound.energy + 0.7 * rng.random())
    drums = rng.random() < (0.9 if energy > CALM else energy / CALM)
    seats = _accompaniment(sound.seats, energy, rng)
    varied = {"tempo": (tempo, tempo), "energy": (energy, energy), "grooves": style.grooves if drums else ()}
    return style.model_copy(update=varied), replace(sound, seats=(*seats, _lead(style, sound, sung)))


def _widened(own: Range, whole: Range) -> Range:
    low, high = ((1 - SPREAD) * a + SPREAD * b for a, b in zip(own, whole, strict=True))
    return low, high


def _drawn(span: Range, share: float) -> float:
    return span[0] + (span[1] - span[0]) * float(share)


def _accompaniment(seats: tuple[Seat, ...], energy: float, rng: np.random.Generator) -> list[Seat]:
    """The band without singers and the first melody, which the lead replaces; fewer of them where the energy is low."""
    band = [seat for seat in seats if seat.instrument != VOICE]
    melody = next((seat for seat in band[1:] if not all(seat.part.steps)), None)
    first, *others = [seat for seat in band if seat is not melody]
    return [first, *(seat for seat in others if rng.random() < 0.25 + 0.75 * energy)]


def _lead(style: Style, sound: Sound, sung: bool) -> Seat:
    """The same lead on all of an artist's tracks, but for who performs it."""
    rng = np.random.default_rng([round(1e9 * sound.tempo), round(1e9 * sound.energy)])
    own = [name for part in style.parts if not all(part.steps) for name in part.instruments]
    played = [name for name in (*own, *SUSTAINED) if name not in (VOICE, "choir")]
    part = StylePart(
        instruments=(VOICE,),
        center=float(rng.uniform(57, 70)),
        density=float(rng.uniform(0.4, 0.65)),
        echo=float(rng.uniform(0, 0.4)),
    )
    instrument = played[int(rng.integers(len(played)))]
    gain, color = float(0.9 * 10 ** (rng.normal(0, 2) / 20)), float(rng.random())
    return Seat(part, SINGER if sung else instrument, color, float(rng.uniform(-0.3, 0.3)), gain, float(rng.random()))
