"""Evidence of how a track was made, from spectra taken every few seconds at the file's sample rate.

Conventions
-----------
- Spectra are powers, shape (n_spectra, n_bins), 1 = a sine at full scale; a band is 16 bins, about 86 Hz.
- A value is `None` where there is no spectrum.

Columns of `health.HEALTH_COLUMNS` that are measured here:

- cutoff_hz [Hz]: above it the mean spectrum is 100 dB below its maximum: the edge of a low-pass or of a lower rate
- bandwidth_hz [Hz]: the same at 60 dB; None where all spectra are of pauses
- edge_db [dB]: the steepest fall of the mean spectrum within 430 Hz, above 1.5 kHz
- hum_db [dB]: prominence of 50 or 60 Hz and its harmonics over their surroundings, in the quietest tenth of the spectra
- flatness_db [dB]: geometric mean below arithmetic mean of the quietest fifth, from 1 kHz to the cutoff: near 0 in
  white noise
- flicker_db [dB]: distance of the 10th to the 90th percentile of a band's level over time, averaged over the bands
  between 3 and 12 kHz
"""

import numpy as np

_EDGE_DB, _BAND_DB = 100.0, 60.0
_EDGE_FLOOR_DB = -125.0  # above the noise of 16 bits in one bin
_PAUSE_DB = -80.0  # a lower maximum is that of a pause
_BAND = 16


def spectral_evidence(spectra: np.ndarray, bins_per_hz: float) -> dict[str, float | None]:
    """Compute the columns of this module.

    Parameters
    ----------
    spectra : np.ndarray, shape (n_spectra, n_bins)
        Powers.
    bins_per_hz : float
    """
    if not len(spectra):
        names = ("cutoff_hz", "bandwidth_hz", "edge_db", "hum_db", "flatness_db", "flicker_db")
        return dict.fromkeys(names)
    n_bands = spectra.shape[1] // _BAND
    in_time = _db(spectra[:, : n_bands * _BAND].reshape(len(spectra), n_bands, _BAND).mean(axis=2))
    bands = _db(spectra.mean(axis=0)[: n_bands * _BAND].reshape(-1, _BAND).mean(axis=1))
    band_hz = _BAND / bins_per_hz
    cutoff_hz = band_hz * _top_band(bands, _EDGE_DB)
    quiet = np.maximum(np.percentile(in_time, 20, axis=0), -140)[round(1000 / band_hz) : round(cutoff_hz / band_hz)]
    voiced = in_time[:, round(3000 / band_hz) : round(12_000 / band_hz)]
    low, high = np.percentile(np.maximum(voiced, -140), [10, 90], axis=0)
    return {
        "cutoff_hz": cutoff_hz,
        "bandwidth_hz": band_hz * _top_band(bands, _BAND_DB) if bands.max() > _PAUSE_DB else None,
        "edge_db": _edge_db(bands, round(1500 / band_hz)),
        "hum_db": _hum_db(spectra, bins_per_hz),
        "flatness_db": float(_db(np.mean(10 ** (quiet / 10))) - quiet.mean()) if len(quiet) else None,
        "flicker_db": float((high - low).mean()) if voiced.shape[1] else None,
    }


def _db(power):
    return 10 * np.log10(np.maximum(power, 1e-30))


def _top_band(bands: np.ndarray, below_db: float) -> int:
    """The first band from which on all bands are `below_db` below the maximum."""
    above = np.flatnonzero(bands > max(bands.max() - below_db, _EDGE_FLOOR_DB))
    return int(above[-1]) + 1 if len(above) else 0


def _edge_db(bands: np.ndarray, first: int) -> float | None:
    bands = np.maximum(bands[first:], max(bands.max() - 110, _EDGE_FLOOR_DB))
    if len(bands) < 12:
        return None
    means = np.convolve(bands, np.full(4, 0.25), mode="valid")
    return float((means[:-5] - means[5:]).max())


def _hum_db(spectra: np.ndarray, bins_per_hz: float) -> float:
    """The larger of the mean prominences of 50 and 60 Hz and their first three harmonics."""
    last = int(240 * bins_per_hz) + 8
    quiet = 10 * np.log10(np.maximum(np.percentile(spectra[:, :last], 10, axis=0), 1e-16))
    prominences = []
    for mains in (50, 60):
        bins = [round(mains * harmonic * bins_per_hz) for harmonic in (1, 2, 3, 4)]
        around = [(quiet[b - 6 : b - 2].mean() + quiet[b + 3 : b + 7].mean()) / 2 for b in bins]
        prominences.append(np.mean([quiet[b - 1 : b + 2].max() - level for b, level in zip(bins, around, strict=True)]))
    return float(max(prominences))
