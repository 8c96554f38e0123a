"""Pitched instruments: plucked, struck, blown, bowed and electronic. Each turns one note into a waveform.

Conventions
-----------
- An instrument is a function of a `Note`; it returns float32, shape (n,), peak about 1, and rings on past its end.
- `Note.bright` in [0, 1] opens the filters; `Note.color` in [0, 1] is an artist's shade of the instrument.

Why additive and subtractive instead of samples: there is nothing to download or license, and every pitch is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audioae.demo import oscillators as osc


@dataclass(frozen=True)
class Note:
    """One note to play. `rng` only draws noise and detuning: hammers, breath, bows."""

    hz: float
    seconds: float
    bright: float
    color: float
    rate: int
    rng: np.random.Generator

    def samples(self, tail_s: float = 0.0) -> int:
        return max(int((self.seconds + tail_s) * self.rate), 64)


def _mallet(ratios: tuple[float, ...], ring_s: float, hardness: float) -> Callable[[Note], np.ndarray]:
    """A struck bar or tine: a few inharmonic partials, of which the higher ones fade sooner."""

    def play(note: Note) -> np.ndarray:
        n = note.samples(min(ring_s, 1.2))
        ring = ring_s * (300 / note.hz) ** 0.3 * (0.7 + 0.6 * note.color)
        levels = [1.0] + [hardness * (0.4 + note.bright) / (k + 1) for k in range(len(ratios) - 1)]
        wave = osc.partials(note.hz, n, note.rate, ratios, levels, [ring / r**0.9 for r in ratios])
        return osc.fade(wave, 0.002, 0.3, note.rate)

    return play


def _plucked(
    ring_s: float, where: float, roll_off: float, n_partials: int, body_hz: float
) -> Callable[[Note], np.ndarray]:
    """A plucked string: levels follow from the plucking point, damping from frequency; with the knock of a body."""

    def play(note: Note) -> np.ndarray:
        n = note.samples(0.25)
        k = np.arange(1, n_partials + 1)
        place = where * (0.7 + 0.6 * note.color)
        levels = np.abs(np.sin(np.pi * k * place)) / k ** (roll_off + 0.7 * (1 - note.bright))
        decays = ring_s * (200 / note.hz) ** 0.4 / (1 + 0.12 * k + 0.004 * k**2)
        wave = osc.partials(note.hz, n, note.rate, k * np.sqrt(1 + 5e-5 * k**2), levels / levels.max(), decays)
        m = min(n, int(0.05 * note.rate))
        knock = osc.resonance(osc.noise(m, note.rng), body_hz, 2, note.rate) * osc.decay(m, 0.008, note.rate)
        wave[:m] += 0.6 * knock
        return osc.fade(wave, 0.001, 0.15, note.rate)

    return play


def piano(note: Note) -> np.ndarray:
    n = note.samples(0.3)
    k = np.arange(1, 15)
    stretched = k * np.sqrt(1 + 4e-4 * k**2)
    levels = np.exp(-k * (0.5 - 0.3 * note.bright) * (note.hz / 400) ** 0.3) * (1 - 0.6 * (k % 7 == 0))
    decays = (3.2 - 1.2 * note.color) * (200 / note.hz) ** 0.5 / (1 + 0.25 * k)
    wave = osc.partials(note.hz, n, note.rate, stretched, levels, decays)
    wave += 0.5 * osc.partials(note.hz * 1.0012, n, note.rate, stretched[:6], levels[:6], decays[:6] * 1.6)
    m = min(n, int(0.03 * note.rate))
    wave[:m] += (
        0.25
        * osc.low_pass(osc.noise(m, note.rng), 900 + 1800 * note.bright, note.rate)
        * osc.decay(m, 0.006, note.rate)
    )
    return osc.fade(wave, 0.003, 0.18, note.rate)


def epiano(note: Note) -> np.ndarray:
    """Frequency modulation: a soft body and a bell-like tine that fades first."""
    n = note.samples(0.3)
    cycles = osc.phase(note.hz, n, note.rate)
    index = (0.4 + 1.8 * note.bright) * osc.decay(n, 0.5, note.rate)
    tine = np.sin(osc.TAU * osc.phase(note.hz * (14 if note.color > 0.5 else 7), n, note.rate))
    wave = np.sin(osc.TAU * cycles + index * np.sin(osc.TAU * cycles))
    wave += 0.18 * note.bright * tine * osc.decay(n, 0.12, note.rate)
    return osc.fade(wave * osc.decay(n, 1.3, note.rate), 0.003, 0.15, note.rate)


def bell(note: Note) -> np.ndarray:
    n = note.samples(1.6)
    modulator = np.sin(osc.TAU * osc.phase(note.hz * (3.5 if note.color > 0.5 else 1.41), n, note.rate))
    index = (0.8 + 2.5 * note.bright) * osc.decay(n, 0.7, note.rate)
    wave = np.sin(osc.TAU * osc.phase(note.hz, n, note.rate) + index * modulator)
    return osc.fade(wave * osc.decay(n, 0.9, note.rate), 0.002, 0.4, note.rate)


def organ(note: Note) -> np.ndarray:
    n = note.samples(0.05)
    cycles = osc.phase(note.hz, n, note.rate, vibrato=0.12, vibrato_hz=6.2)
    drawbars = (0.6, 1.0, 0.7, 0.5 * note.bright, 0.3 * note.color, 0.35 * note.bright)
    wave = np.zeros(n, np.float32)
    for k, level in zip((1, 2, 3, 4, 6, 8), drawbars, strict=True):
        wave += np.float32(level) * np.sin(osc.TAU * cycles * k)
    m = min(n, int(0.008 * note.rate))
    wave[:m] += osc.noise(m, note.rng) * np.float32(0.2)
    return osc.fade(wave * np.float32(0.45), 0.006, 0.04, note.rate)


def _bowed(voices: int, attack_s: float, vibrato: float) -> Callable[[Note], np.ndarray]:
    """Detuned saws with their own vibrato under a body filter: one violin or a whole section."""

    def play(note: Note) -> np.ndarray:
        n = note.samples(0.35)
        wave = np.zeros(n, np.float32)
        for _ in range(voices):
            hz = note.hz * 2 ** (note.rng.normal(0, 0.05 if voices > 1 else 0.01) / 12)
            cycles = osc.phase(hz, n, note.rate, vibrato, note.rng.uniform(4.8, 6.2), start=note.rng.random())
            wave += osc.saw(cycles, hz, note.rate)
        wave += np.float32(0.07) * osc.noise(n, note.rng)
        soft = osc.low_pass(wave, 700 + 1.2 * note.hz + 3500 * note.bright, note.rate)
        soft += np.float32(0.8) * osc.resonance(wave, 450 + 500 * note.color, 3, note.rate)
        return osc.fade(soft / np.float32(voices**0.5), min(attack_s, note.seconds * 0.4), 0.3, note.rate)

    return play


def _blown(odd_only: bool, roll_off: float, breath: float, attack_s: float) -> Callable[[Note], np.ndarray]:
    """A pipe: harmonics (all, or the odd ones of a cylinder) that brighten with the attack, and breath."""

    def play(note: Note) -> np.ndarray:
        n = note.samples(0.08)
        cycles = osc.TAU * osc.phase(note.hz, n, note.rate, 0.25 * (0.5 + note.color), 5.0 + note.color)
        wave = np.zeros(n, np.float32)
        for k in range(1, 10, 2 if odd_only else 1):
            if k * note.hz < 0.4 * note.rate:
                level = 1 / k ** (roll_off + 1.2 * (1 - note.bright))
                wave += osc.fade(np.sin(cycles * k) * np.float32(level), attack_s * k**0.5, 0.06, note.rate)
        hiss = osc.resonance(osc.noise(n, note.rng), min(note.hz * 2, 6000), 1.5, note.rate)
        return osc.fade(wave + np.float32(breath * (0.5 + note.bright)) * hiss, attack_s * 0.6, 0.06, note.rate)

    return play


def _synth(
    voices: int,
    detune: float,
    attack_s: float,
    pluck_s: float,
    tail_s: float,
    square: bool = False,
    sway_hz: float = 0.0,
) -> Callable[[Note], np.ndarray]:
    """Subtractive: detuned saws or pulses; the filter falls from open to closed in `pluck_s`, or sways."""

    def play(note: Note) -> np.ndarray:
        n = note.samples(tail_s)
        wave = np.zeros(n, np.float32)
        for i in range(voices):
            hz = note.hz * 2 ** (detune * ((i + 0.5) / voices - 0.5) * (0.5 + note.color) / 6)
            cycles = osc.phase(hz, n, note.rate, start=note.rng.random())
            wave += (
                osc.pulse(cycles, hz, note.rate, 0.3 + 0.2 * note.color) if square else osc.saw(cycles, hz, note.rate)
            )
        wave /= np.float32(voices**0.6)
        closed = osc.low_pass(wave, 1.5 * note.hz + 250 + 900 * note.bright, note.rate)
        opened = osc.low_pass(wave, 3 * note.hz + 900 + 6000 * note.bright**1.5, note.rate)
        open_share = osc.decay(n, pluck_s, note.rate)
        if sway_hz:
            swing = np.sin(osc.TAU * osc.phase(sway_hz * (0.5 + note.color), n, note.rate, start=note.rng.random()))
            open_share = open_share * (np.float32(0.55) + np.float32(0.45) * swing)
        wave = closed + (opened - closed) * open_share
        return osc.fade(wave, min(attack_s, note.seconds * 0.5), max(tail_s, 0.02), note.rate)

    return play


def sub_bass(note: Note) -> np.ndarray:
    n = note.samples(0.04)
    wave = np.tanh((1.2 + 1.5 * note.bright) * np.sin(osc.TAU * osc.phase(note.hz, n, note.rate)))
    return osc.fade(wave * osc.decay(n, 0.6 + 1.5 * note.color, note.rate), 0.006, 0.05, note.rate)


def chip_pulse(note: Note) -> np.ndarray:
    n = note.samples()
    width = (0.125, 0.25, 0.5)[int(note.color * 2.99)]
    wave = osc.pulse(osc.phase(note.hz, n, note.rate, 0.3, 6.5), note.hz, note.rate, width)
    steps = np.ceil(15 * osc.decay(n, 0.25 + 0.4 * note.bright, note.rate)) / np.float32(15)
    return osc.fade(wave * steps.astype(np.float32), 0.001, 0.004, note.rate)


def chip_triangle(note: Note) -> np.ndarray:
    n = note.samples()
    cycles = osc.phase(note.hz, n, note.rate)
    wave = np.round((4 * np.abs(cycles - np.float32(0.5)) - 1) * np.float32(7.5)) / np.float32(7.5)
    return osc.fade(wave, 0.001, 0.004, note.rate)


INSTRUMENTS: dict[str, Callable[[Note], np.ndarray]] = {
    "piano": piano,
    "electric piano": epiano,
    "organ": organ,
    "bell": bell,
    "vibraphone": _mallet((1, 4, 10.1), 1.6, 0.5),
    "marimba": _mallet((1, 3.93, 9.2), 0.28, 0.8),
    "kalimba": _mallet((1, 5.4, 2.0, 11.3), 0.6, 0.6),
    "nylon guitar": _plucked(1.1, 0.22, 1.3, 12, 190),
    "steel guitar": _plucked(1.6, 0.13, 0.8, 20, 240),
    "electric guitar": _plucked(2.2, 0.1, 0.7, 18, 500),
    "harp": _plucked(2.0, 0.4, 1.5, 10, 320),
    "upright bass": _plucked(0.9, 0.25, 1.2, 14, 110),
    "electric bass": _plucked(1.8, 0.12, 0.9, 18, 150),
    "violin": _bowed(1, 0.08, 0.3),
    "cello": _bowed(1, 0.1, 0.25),
    "strings": _bowed(5, 0.25, 0.18),
    "flute": _blown(False, 1.6, 0.5, 0.05),
    "clarinet": _blown(True, 0.7, 0.15, 0.04),
    "horn": _blown(False, 0.5, 0.08, 0.09),
    "melodica": _blown(False, 0.25, 0.2, 0.03),
    "saw lead": _synth(2, 0.12, 0.01, 0.6, 0.08),
    "synth pluck": _synth(3, 0.2, 0.003, 0.12, 0.12),
    "pad": _synth(5, 0.35, 0.6, 8.0, 0.8, sway_hz=0.3),
    "square pad": _synth(3, 0.25, 0.4, 6.0, 0.6, square=True, sway_hz=0.4),
    "synth bass": _synth(1, 0.0, 0.004, 0.1, 0.03),
    "reese bass": _synth(3, 0.5, 0.01, 0.8, 0.05),
    "square bass": _synth(1, 0.0, 0.004, 0.2, 0.03, square=True),
    "sub bass": sub_bass,
    "chip pulse": chip_pulse,
    "chip triangle": chip_triangle,
}
