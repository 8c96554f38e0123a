"""The raw material of every instrument: phases, waves, noise, envelopes and filters.

Conventions: frequencies in Hz, times in seconds, `rate` in samples per second; waveforms are float32, shape (n,).

Why blocks: n samples of a geometric sequence are the outer product of one short sequence of block starts and one of
offsets within a block. Decaying sines then cost a matrix product, a tenth of what sines and exponentials cost.

Source: saws and pulses are smoothed at their steps by PolyBLEP (Välimäki and Huovilainen, IEEE SPM 2007), so that high
notes do not alias.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import signal

Values = Sequence[float] | np.ndarray
TAU = np.float32(2 * np.pi)
_BLOCK = 256


def phase(
    hz: float, n: int, rate: int, vibrato: float = 0.0, vibrato_hz: float = 5.5, start: float = 0.0
) -> np.ndarray:
    """Phase in cycles, in [0, 1), of `n` samples at `hz`; `vibrato` is its depth in semitones, which sets in slowly.

    >>> phase(11025, 4, 44100).tolist()
    [0.0, 0.25, 0.5, 0.75]
    """
    first, offset = _block_indices(n)
    first, offset = (np.float32((index * (hz / rate) + shift) % 1) for index, shift in ((first, start), (offset, 0)))
    cycles = np.add.outer(first, offset).reshape(-1)[:n]
    if vibrato:
        depth = hz * 0.0578 * vibrato / (2 * np.pi * vibrato_hz)
        sway = _damped_sines(n, np.array([2j * np.pi * vibrato_hz / rate]), np.array([depth]))
        onset = min(n, rate // 3)
        sway[:onset] *= np.arange(onset, dtype=np.float32) * np.float32(3 / rate)
        cycles += sway
    cycles -= np.floor(cycles)
    return cycles


def saw(cycles: np.ndarray, hz: float, rate: int) -> np.ndarray:
    """A band-limited sawtooth from a phase in cycles."""
    wave = 2 * cycles - 1
    step = hz / rate
    after, before = np.flatnonzero(cycles < step), np.flatnonzero(cycles > 1 - step)
    t = cycles[after] / step
    wave[after] -= 2 * t - t * t - 1
    t = (cycles[before] - 1) / step
    wave[before] -= t * t + 2 * t + 1
    return wave


def pulse(cycles: np.ndarray, hz: float, rate: int, width: float = 0.5) -> np.ndarray:
    """A band-limited pulse wave, high for `width` of each cycle, without its constant part."""
    shifted = cycles + np.float32(1 - width)
    shifted -= np.floor(shifted)
    return (saw(cycles, hz, rate) - saw(shifted, hz, rate)) * np.float32(0.7)


def partials(hz: float, n: int, rate: int, ratios: Values, levels: Values, decays_s: Values) -> np.ndarray:
    """A sum of decaying sines at `ratios` times `hz`: strings, bars, bells and drum skins.

    Parameters
    ----------
    hz : float
    n : int
        Number of samples.
    rate : int
    ratios, levels, decays_s : sequences of float, shape (n_partials,)
        Frequency as a multiple of `hz`, amplitude, and seconds until it has fallen to 1/e. Partials above 0.45 of the
        sample rate are left out.

    Returns
    -------
    np.ndarray, shape (n,), float32
    """
    ratios, levels, decays_s = (np.asarray(values, np.float64) for values in (ratios, levels, decays_s))
    below = hz * ratios < 0.45 * rate
    exponents = (2j * np.pi * hz * ratios[below] - 1 / decays_s[below]) / rate
    return _damped_sines(n, exponents, levels[below])


def sweep(start_hz: float, end_hz: float, glide_s: float, n: int, rate: int) -> np.ndarray:
    """A sine whose pitch falls exponentially from `start_hz` to `end_hz`: the body of a kick or tom."""
    t = np.arange(n) / rate
    cycles = end_hz * t + (start_hz - end_hz) * glide_s * (1 - np.exp(-t / glide_s))
    return np.sin(2 * np.pi * cycles).astype(np.float32)


def noise(n: int, rng: np.random.Generator) -> np.ndarray:
    """White Gaussian noise of unit variance."""
    return rng.standard_normal(n, dtype=np.float32)


def decay(n: int, decay_s: float, rate: int) -> np.ndarray:
    """An exponential that falls to 1/e in `decay_s`.

    >>> round(float(decay(1001, 0.5, 1000)[500]), 4)
    0.3679
    """
    first, offset = (np.exp(index * (-1 / (decay_s * rate))).astype(np.float32) for index in _block_indices(n))
    return np.multiply.outer(first, offset).reshape(-1)[:n]


def fade(wave: np.ndarray, attack_s: float, release_s: float, rate: int) -> np.ndarray:
    """Fade `wave` in over `attack_s` and out over `release_s` with raised cosines, in place; returns it."""
    rise, fall = (min(len(wave), max(int(s * rate), 1)) for s in (attack_s, release_s))
    wave[:rise] *= _half_cosine(rise)
    wave[len(wave) - fall :] *= _half_cosine(fall)[::-1]
    return wave


def low_pass(wave: np.ndarray, hz: float, rate: int) -> np.ndarray:
    """Second-order Butterworth low-pass along the last axis."""
    return _filter(wave, "low", min(hz, 0.45 * rate), 0.0, rate)


def high_pass(wave: np.ndarray, hz: float, rate: int) -> np.ndarray:
    """Second-order Butterworth high-pass along the last axis."""
    return _filter(wave, "high", min(hz, 0.45 * rate), 0.0, rate)


def resonance(wave: np.ndarray, hz: float, q: float, rate: int) -> np.ndarray:
    """A resonant band-pass with unit gain at `hz`: a formant, or a drum's color."""
    return _filter(wave, "peak", min(hz, 0.4 * rate), q, rate)


def _block_indices(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the first samples of the blocks that cover `n` samples, and offsets within a block."""
    return np.arange(0, n, _BLOCK), np.arange(_BLOCK)


def _damped_sines(n: int, exponents: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The sum over k of levels[k] * imag(exp(exponents[k] * sample)), float32, shape (n,)."""
    first, offset = (np.exp(np.multiply.outer(index, exponents)) for index in _block_indices(n))
    first *= levels
    left = np.concatenate([np.imag(first), np.real(first)], axis=1).astype(np.float32)
    right = np.concatenate([np.real(offset), np.imag(offset)], axis=1).astype(np.float32)
    return (left @ right.T).reshape(-1)[:n]


@lru_cache(maxsize=64)
def _half_cosine(n: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(np.pi * np.arange(n, dtype=np.float32) / n)).astype(np.float32)


def _filter(wave: np.ndarray, kind: str, hz: float, q: float, rate: int) -> np.ndarray:
    b, a = _design(kind, round(hz, 1), round(q, 2), rate)
    return np.asarray(signal.lfilter(b, a, wave, axis=-1))


@lru_cache(maxsize=512)
def _design(kind: str, hz: float, q: float, rate: int) -> tuple[np.ndarray, np.ndarray]:
    design: Any = signal.iirpeak(hz, q, fs=rate) if kind == "peak" else signal.butter(2, hz, kind, fs=rate)
    b, a = (np.asarray(side, np.float32) for side in design)
    return b, a
