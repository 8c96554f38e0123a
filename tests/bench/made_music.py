"""Short pieces of made music by number, fast: for questions about 100,000 different tracks that all sound alike.

Conventions
-----------
- A piece is mono float32 at 22,050 Hz, `SECONDS` long: bass, chords, melody and drums over one of eight progressions,
  at one of seven tempos. The same number gives the same piece.
- Any two pieces differ in melody at least; many share key, progression, tempo and instruments.

Why not the demo's synthesizer: it takes .3 s a track, this 3 ms.
"""

import numba
import numpy as np

from audioae.constants import SAMPLE_RATE

SECONDS = 10.0
_N = round(SECONDS * SAMPLE_RATE)
_TABLE = 2048
_TEMPOS = (80, 90, 100, 110, 120, 132, 144)
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
_PROGRESSIONS = (
    (0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 4, 3), (1, 4, 0, 0), (0, 0, 3, 4), (0, 2, 3, 4), (0, 6, 5, 4),
)  # fmt: skip


def _tables(n: int = 24) -> np.ndarray:
    """Single cycles of n instruments: 12 partials with random levels."""
    rng, phase = np.random.default_rng(0), 2 * np.pi * np.arange(_TABLE) / _TABLE
    levels = rng.exponential(size=(n, 12)) / np.arange(1, 13) ** rng.uniform(0.5, 2.0, (n, 1))
    cycles = levels @ np.sin(np.arange(1, 13)[:, None] * phase + rng.uniform(0, 2 * np.pi, (12, 1)))
    return (cycles / np.abs(cycles).max(axis=1, keepdims=True)).astype(np.float32)


_TABLES = _tables()
_HITS = np.random.default_rng(1).standard_normal((3, 4096)).astype(np.float32)
_HITS *= np.exp(-np.arange(4096) / np.array([[400], [900], [1600]])).astype(np.float32)


def made_piece(number: int) -> np.ndarray:
    """Piece `number`, shape (220500,)."""
    rng = np.random.default_rng([13, number])
    scale, key = _SCALES[rng.integers(2)], int(rng.integers(12))
    chords, beat_s = _PROGRESSIONS[rng.integers(8)], 60 / _TEMPOS[rng.integers(7)]
    bass, pad, lead = _TABLES[rng.integers(len(_TABLES), size=3)]
    decay_s = rng.uniform(0.1, 0.8)
    out = np.zeros(_N + SAMPLE_RATE * 4, np.float32)
    step, rest = int(rng.integers(7)), rng.uniform(0, 0.3)
    for half_beat in range(int(SECONDS / beat_s * 2)):
        at, chord = half_beat * beat_s / 2, chords[half_beat // 8 % 4]
        if half_beat % 8 == 0:
            for third in (0, 2, 4):
                _note(out, pad, at, _hz(scale, key, chord + third, 48), 4 * beat_s, 4.0, 0.12)
        if half_beat % 2 == 0:
            _note(out, bass, at, _hz(scale, key, chord, 36), beat_s, 0.5, 0.3)
        if rng.random() > rest:
            step = int(np.clip(step + rng.integers(-2, 3), 0, 13))
            _note(out, lead, at, _hz(scale, key, step, 60), beat_s / 2, decay_s, 0.25)
        hit = _HITS[0 if half_beat % 2 else 1 + half_beat // 2 % 2]
        start = round(at * SAMPLE_RATE)
        out[start : start + len(hit)] += 0.08 * hit
    return 0.8 * out[:_N] / np.abs(out[:_N]).max()


def _hz(scale: tuple[int, ...], key: int, step: int, base: int) -> float:
    return 440 * 2 ** ((base + key + 12 * (step // 7) + scale[step % 7] - 69) / 12)


@numba.njit(cache=True, fastmath=True)
def _note(
    out: np.ndarray, table: np.ndarray, at_s: float, hz: float, seconds: float, decay_s: float, gain: float
) -> None:
    start, n = round(at_s * SAMPLE_RATE), round(seconds * SAMPLE_RATE)
    level, decay, step, phase = gain, np.exp(-1 / (decay_s * SAMPLE_RATE)), hz * _TABLE / SAMPLE_RATE, 0.0
    for i in range(n):
        out[start + i] += level * table[int(phase)] * min(1.0, i / 200)
        level *= decay
        phase += step
        if phase >= _TABLE:
            phase -= _TABLE
