"""Drums and percussion: skins are sines with a falling pitch, metal is inharmonic partials and noise.

Conventions: a drum is a function of a `Kit` and the sample rate; it returns float32, shape (n,), peak about 1.
A kit's `tune`, `ring` and `bright` are factors around 1 that distinguish one artist's kit from another's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audioae.demo import oscillators as osc

METAL = (2.0, 3.01, 4.16, 5.43, 6.79, 8.21)  # ratios far from whole numbers, as in a cymbal


@dataclass(frozen=True)
class Kit:
    tune: float
    ring: float
    bright: float
    rate: int
    rng: np.random.Generator


def _skin(start_hz: float, end_hz: float, glide_s: float, ring_s: float, click: float) -> Callable[[Kit], np.ndarray]:
    def hit(kit: Kit) -> np.ndarray:
        n = int(kit.rate * ring_s * kit.ring * 5)
        wave = osc.sweep(start_hz * kit.tune, end_hz * kit.tune, glide_s, n, kit.rate)
        wave *= osc.decay(n, ring_s * kit.ring, kit.rate)
        m = min(n, int(0.02 * kit.rate))
        tick = osc.low_pass(osc.noise(m, kit.rng), 4500 * kit.bright, kit.rate) * osc.decay(m, 0.003, kit.rate)
        wave[:m] += np.float32(click) * tick
        return osc.fade(wave, 0.0008, 0.01, kit.rate)

    return hit


def _rattle(
    body_hz: float, body: float, low_hz: float, high_hz: float, ring_s: float, attack_s: float = 0.0008
) -> Callable[[Kit], np.ndarray]:
    """Band-limited noise, with or without a tuned body: snares, brushes, shakers."""

    def hit(kit: Kit) -> np.ndarray:
        n = int(kit.rate * (ring_s * kit.ring * 5 + attack_s))
        wave = osc.high_pass(osc.noise(n, kit.rng), low_hz * kit.tune, kit.rate)
        wave = osc.low_pass(wave, high_hz * kit.bright, kit.rate) * osc.decay(n, ring_s * kit.ring, kit.rate)
        if body:
            ratios, decays = (1, 1.6, 2.3), (0.09 * kit.ring, 0.06 * kit.ring, 0.04)
            wave += np.float32(body) * osc.partials(body_hz * kit.tune, n, kit.rate, ratios, (1, 0.6, 0.3), decays)
        return osc.fade(wave, attack_s, 0.01, kit.rate)

    return hit


def _metal(base_hz: float, ring_s: float, low_hz: float, hiss: float) -> Callable[[Kit], np.ndarray]:
    def hit(kit: Kit) -> np.ndarray:
        n = int(kit.rate * min(ring_s * kit.ring * 5, 2.5))
        clang = sum(osc.pulse(osc.phase(base_hz * kit.tune * r, n, kit.rate), base_hz * r, kit.rate) for r in METAL)
        wave = osc.high_pass(clang * np.float32(0.3) + np.float32(hiss) * osc.noise(n, kit.rng), low_hz, kit.rate)
        wave = osc.low_pass(wave, 13000 * kit.bright, kit.rate)
        return osc.fade(wave * osc.decay(n, ring_s * kit.ring, kit.rate), 0.0005, 0.01, kit.rate)

    return hit


def _wood(hz: float, ratios: tuple[float, ...], ring_s: float) -> Callable[[Kit], np.ndarray]:
    def hit(kit: Kit) -> np.ndarray:
        n = int(kit.rate * ring_s * kit.ring * 5) + 64
        decays = [ring_s * kit.ring / (1 + 0.4 * i) for i in range(len(ratios))]
        wave = osc.partials(hz * kit.tune, n, kit.rate, ratios, [1 / (1 + i) for i in range(len(ratios))], decays)
        return osc.fade(wave, 0.0006, 0.005, kit.rate)

    return hit


def clap(kit: Kit) -> np.ndarray:
    n = int(kit.rate * 0.3)
    envelope = osc.decay(n, 0.06 * kit.ring, kit.rate) * np.float32(0.7)
    for start_s in (0.0, 0.011, 0.023):
        first = int(start_s * kit.rate)
        envelope[first:] += osc.decay(n - first, 0.004, kit.rate)
    return osc.resonance(osc.noise(n, kit.rng), 1500 * kit.tune, 1.2, kit.rate) * envelope


def chip_noise(kit: Kit) -> np.ndarray:
    """A shift register's noise: random levels held for several samples."""
    n, hold = int(kit.rate * 0.18), max(int(6 / kit.tune), 1)
    wave = np.repeat(np.sign(osc.noise(n // hold + 1, kit.rng)), hold)[:n]
    return osc.fade(wave * osc.decay(n, 0.04 * kit.ring, kit.rate), 0.0005, 0.005, kit.rate)


DRUMS: dict[str, Callable[[Kit], np.ndarray]] = {
    "kick": _skin(180, 48, 0.03, 0.12, 0.7),
    "club kick": _skin(320, 46, 0.035, 0.16, 0.9),
    "deep kick": _skin(140, 42, 0.05, 0.3, 0.2),
    "chip kick": _skin(700, 60, 0.03, 0.06, 0.0),
    "low tom": _skin(130, 85, 0.05, 0.16, 0.3),
    "high tom": _skin(220, 150, 0.05, 0.13, 0.3),
    "conga": _skin(330, 260, 0.02, 0.1, 0.5),
    "low conga": _skin(230, 185, 0.02, 0.14, 0.4),
    "timpani": _skin(98, 92, 0.1, 0.5, 0.15),
    "snare": _rattle(185, 0.8, 1200, 9000, 0.07),
    "tight snare": _rattle(240, 0.7, 1800, 12000, 0.04),
    "dusty snare": _rattle(165, 0.8, 700, 4500, 0.07),
    "brush": _rattle(190, 0.15, 1500, 8000, 0.06, attack_s=0.02),
    "shaker": _rattle(0, 0, 5000, 12000, 0.022, attack_s=0.02),
    "clap": clap,
    "hat": _metal(540, 0.025, 6500, 0.5),
    "open hat": _metal(540, 0.14, 6000, 0.5),
    "ride": _metal(430, 0.4, 4000, 0.4),
    "crash": _metal(390, 0.5, 3000, 0.8),
    "rim": _wood(470, (1, 2.4, 3.7), 0.018),
    "clave": _wood(2400, (1, 1.5), 0.03),
    "cowbell": _wood(560, (1, 1.51, 2.9), 0.08),
    "chip noise": chip_noise,
}
