"""A voice that sings vowels: a buzz filtered by the formants of a vocal tract, gliding from one vowel to another.

Source: formant frequencies are rounded from Peterson and Barney (JASA 1952).
"""

import numpy as np

from audioae.demo import oscillators as osc
from audioae.demo.instruments import Note

SCOOP_S = 0.04
VOWELS = {  # three formants in Hz of an adult voice
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}


def sing(note: Note) -> np.ndarray:
    """One sung syllable: a soft consonant, then a glide between two vowels. Higher voices have shorter tracts."""
    n = note.samples(0.1)
    tract = 0.92 + 0.25 * note.color
    buzz = _buzz(note, n, vibrato=0.35)
    first, second = note.rng.choice(list(VOWELS), 2)
    glide = np.clip(np.linspace(-0.3, 1.2, n, dtype=np.float32), 0, 1)
    wave = _tract(buzz, first, tract, note) * (1 - glide) + _tract(buzz, second, tract, note) * glide
    m = min(n, int(0.05 * note.rate))
    wave[:m] += (
        np.float32(0.2) * osc.high_pass(osc.noise(m, note.rng), 2500, note.rate) * osc.decay(m, 0.015, note.rate)
    )
    return osc.fade(wave, 0.03, 0.09, note.rate)


def sing_word(note: Note) -> np.ndarray:
    """One syllable of a lyric: a consonant (hissed, struck, hummed or none), a scoop into the pitch, and two vowels."""
    n, rng = note.samples(0.1), note.rng
    tract = 0.9 + 0.3 * note.color
    buzz = _buzz(note, n, vibrato=float(rng.uniform(0.2, 0.5)), scoop=float(rng.uniform(0, 0.8)))
    first, second = rng.choice(list(VOWELS), 2)
    turn = float(rng.uniform(0.3, 0.9))
    glide = np.clip((np.linspace(0, 1, n, dtype=np.float32) - np.float32(turn - 0.3)) / np.float32(0.4), 0, 1)
    wave = _tract(buzz, first, tract, note) * (1 - glide) + _tract(buzz, second, tract, note) * glide
    onset, consonant = _consonant(buzz, note)
    wave[: len(onset)] *= onset
    wave[: len(consonant)] += consonant
    return osc.fade(wave, 0.004, 0.09, note.rate)


def _consonant(buzz: np.ndarray, note: Note) -> tuple[np.ndarray, np.ndarray]:
    """How the vowel opens (a factor per sample), and what is heard before and while it does."""
    kind = ("hissed", "struck", "hummed", "none")[int(note.rng.integers(4))]
    seconds = {"hissed": note.rng.uniform(0.06, 0.12), "struck": 0.03, "hummed": 0.08, "none": 0.03}[kind]
    m = min(len(buzz) // 2, int(min(seconds, note.seconds / 3) * note.rate))
    rise = np.linspace(0, 1, m, dtype=np.float32) ** 2
    if kind == "none":
        return rise, np.zeros(0, np.float32)
    if kind == "hummed":
        return rise, osc.low_pass(buzz[:m], 350, note.rate) * (1 - rise)
    hiss = osc.high_pass(osc.noise(m, note.rng), note.rng.uniform(2500, 5500), note.rate)
    shape = np.sin(np.pi * np.sqrt(rise) ** 0.7) if kind == "hissed" else osc.decay(m, 0.008, note.rate)
    return rise, np.float32(0.18) * hiss * shape.astype(np.float32)


def choir(note: Note) -> np.ndarray:
    """Several singers on one vowel with a slow attack."""
    n = note.samples(0.5)
    buzz = np.zeros(n, np.float32)
    for _ in range(4):
        buzz += _buzz(note, n, vibrato=0.25) * np.float32(0.5)
    wave = _tract(buzz, "aou"[int(note.color * 2.99)], 1.0, note)
    return osc.fade(wave, min(0.3, note.seconds * 0.4), 0.45, note.rate)


def _buzz(note: Note, n: int, vibrato: float, scoop: float = 0.0) -> np.ndarray:
    """The buzz of the vocal folds; it begins `scoop` semitones below the pitch."""
    hz = note.hz * 2 ** (note.rng.normal(0, 0.06) / 12)
    cycles = osc.phase(hz, n, note.rate, vibrato, note.rng.uniform(4.8, 6.0))
    if scoop:
        lag = hz * (1 - 2 ** (-scoop / 12)) * SCOOP_S
        cycles -= np.float32(lag) * (1 - osc.decay(n, SCOOP_S, note.rate))
        cycles -= np.floor(cycles)
    breath = osc.noise(n, note.rng) * np.float32(0.06)
    return osc.low_pass(osc.saw(cycles, hz, note.rate), 1200 + 2500 * note.bright, note.rate) + breath


def _tract(buzz: np.ndarray, vowel: str, scale: float, note: Note) -> np.ndarray:
    levels = (1.0, 0.7, 0.4)
    bands = (osc.resonance(buzz, hz * scale, 5 + 2 * i, note.rate) for i, hz in enumerate(VOWELS[vowel]))
    return np.float32(1.8) * np.sum([level * band for level, band in zip(levels, bands, strict=True)], axis=0)
