"""Tuning and envelope of a track's spectra: what a wrong speed shifts.

Conventions
-----------
- Spectra are powers, shape (n_spectra, n_bins), of Hann windows; 1 = a sine at full scale.
- A partial is a maximum of a spectrum from 150 Hz to 3 kHz that is as sharp as a steady tone and at most 50 dB below
  the highest one. Its frequency is that of the parabola through the maximum and its neighbors.
- Values are `None` where there is no spectrum, and where there is no sound in it.

Columns of `health.HEALTH_COLUMNS` that are measured here:

- tuning_cents [cents]: -50 to 50: where partials lie between the semitones of A = 440 Hz, as the circular mean of all,
  weighted by the square root of their amplitudes. None without partials
- tuning_strength: 0 to 1: how well they agree: 0.2 to 0.6 in music, below 0.15 in noise, speech and weather
- partials: their mean number in a spectrum
- octave_125_db to octave_16000_db [dB]: power of the octave around that frequency relative to the whole, -100 or more.
  None above half the sample rate

Why: a track that is played at 48 kHz instead of 44.1 kHz is 147 cents sharp, which puts its partials 46 cents from a
semitone, and its octaves hold what lay 9 % lower. A speed of one half or two shows only in the octaves.
"""

import numpy as np

OCTAVES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16_000)
COLUMNS = ("tuning_cents", "tuning_strength", "partials", *(f"octave_{hz}_db" for hz in OCTAVES_HZ))

_RANGE_HZ = (150.0, 3000.0)
_A_HZ = 440.0
_SHARP_DB, _BELOW_DB = 4.0, 50.0
_SILENCE, _LOWEST_DB = 1e-14, -100.0


def tuning_evidence(spectra: np.ndarray, bins_per_hz: float) -> dict[str, float | None]:
    """Compute the columns of this module.

    Parameters
    ----------
    spectra : np.ndarray, shape (n_spectra, n_bins)
        Powers.
    bins_per_hz : float
    """
    if not len(spectra) or spectra.max() < _SILENCE:
        return dict.fromkeys(COLUMNS)
    hz, db, per_spectrum = _partials(spectra, bins_per_hz)
    evidence: dict[str, float | None] = {"tuning_cents": None, "tuning_strength": 0.0, "partials": per_spectrum}
    if len(hz):
        weights = 10 ** ((db - db.max()) / 40)
        mean = np.sum(weights * np.exp(2j * np.pi * 12 * np.log2(hz / _A_HZ))) / weights.sum()
        evidence |= {"tuning_cents": float(np.angle(mean) / (2 * np.pi) * 100), "tuning_strength": float(abs(mean))}
    return evidence | _octaves(spectra.mean(axis=0), bins_per_hz)


def _partials(spectra: np.ndarray, bins_per_hz: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Frequencies and levels of all partials, shape (n,), and how many a spectrum has in the mean."""
    first, last = (round(hz * bins_per_hz) for hz in _RANGE_HZ)
    levels = 10 * np.log10(np.maximum(spectra[:, first - 1 : last + 1], _SILENCE))
    below, level, above = levels[:, :-2], levels[:, 1:-1], levels[:, 2:]
    sharpness = 2 * level - below - above
    is_partial = (level > below) & (level >= above) & (sharpness > _SHARP_DB)
    is_partial &= level > level.max(axis=1, keepdims=True) - _BELOW_DB
    rows, bins = np.nonzero(is_partial)
    offset = (above - below)[rows, bins] / (2 * sharpness[rows, bins])
    return (first + bins + offset) / bins_per_hz, level[rows, bins], len(rows) / len(spectra)


def _octaves(power: np.ndarray, bins_per_hz: float) -> dict[str, float | None]:
    total, top_hz = float(power[1:].sum()), (len(power) - 1) / bins_per_hz
    levels: dict[str, float | None] = {}
    for hz in OCTAVES_HZ:
        first, last = (round(hz * factor * bins_per_hz) for factor in (2**-0.5, 2**0.5))
        share = float(power[first:last].sum()) / total
        level = max(10 * np.log10(max(share, 1e-30)), _LOWEST_DB)
        levels[f"octave_{hz}_db"] = float(level) if hz < top_hz else None
    return levels
