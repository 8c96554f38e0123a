"""Decoder artifacts of one section of a waveform: statistics that decoding changes.

Conventions
-----------
- The features are a vector of `FEATURE_NAMES`, float32; NaN where there is nothing to measure, as above the bandwidth.
- Bands are in Hz, because recordings are; strides and frames are in samples, because decoders are.

In each of `BANDS`:

- phase_time, phase_cross, phase_frequency: mean cosine of the second difference of the phase along time, along both
  axes, and along frequency; 0 for random phases. STFT of 1,024 samples with a hop of 288, which no decoder uses.
- level, level_skew: mean and skewness of the log power relative to its surroundings, by the same STFT.
- time_correlation, frequency_correlation: how much that correlates with itself three frames later and two bins higher.
- contrast, contrast_stability: contrast between harmonics and what lies between them, and how long it persists. STFT of
  4,096 samples.
- attack, attack_skew, fast_modulation: how fast and how asymmetrically the level rises in steps of 32 samples, and the
  share of its changes above 200 Hz.

band_sync is how much the levels of neighboring bands change together. The residual of a linear prediction of order 32
has the features kurtosis (its log), skewness, and stride and odd_stride: how far its power stands out at the
frequencies of strides that are powers of two, and of other strides.

Source: second differences of the phase: Flandrin, Auger and Chassande-Mottin 2002; spectral lines of the power at the
period of a process: Gardner 1991. Their combination is our own.
"""

import itertools
import math
from functools import cache

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.ndimage
import scipy.signal

BANDS = ((300, 1000), (1000, 2000), (2000, 4000), (4000, 7000), (7000, 11000), (11000, 15500))  # Hz
_BAND_NAMES = (
    *("phase_time", "phase_cross", "phase_frequency"),
    *("level", "level_skew", "time_correlation", "frequency_correlation"),
    *("contrast", "contrast_stability", "attack", "attack_skew", "fast_modulation"),
)
_EDGES = [f"{low / 1000:g}-{high / 1000:g} kHz" for low, high in BANDS]
FEATURE_NAMES = (
    *(f"{name} {edges}" for edges in _EDGES for name in _BAND_NAMES),
    *(f"band_sync {edges}" for edges in _EDGES[1:]),
    *("kurtosis", "skewness", "stride", "odd_stride"),
)

_FLOOR = 1e-10
_ORDER = 32
_STRIDES = (64, 128, 256, 512)
_ODD_STRIDES = (80, 100, 120, 160, 200, 220, 240, 300, 320, 441, 480)  # without 192 and 576, which mp3 uses


def section_artifacts(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Bandwidth (Hz) and features of a waveform that is not silent; shape (1 + len(FEATURE_NAMES),), float32."""
    x = waveform.astype(np.float32) / np.float32(np.sqrt(np.mean(np.square(waveform))))
    spectrum = _stft(x, 1024, 288)
    power = np.abs(spectrum) ** 2
    fine = np.log(np.abs(_stft(x, 4096, 1024)) + _FLOOR)
    rough = np.abs(_stft(x, 128, 32)) ** 2
    mean_power = power.mean(axis=1)
    top = _bandwidth(mean_power, sample_rate)
    values: list[float] = [top]
    rises: list[np.ndarray | None] = []
    for low, high in BANDS:
        if top < low + 0.7 * (high - low):
            values += [math.nan] * len(_BAND_NAMES)
            rises.append(None)
            continue
        bins = _bins(low, high, 1024, sample_rate)
        envelope = np.log(rough[_bins(low, high, 128, sample_rate)].sum(axis=0) + 1e-5)
        rises.append(np.diff(envelope))
        values += _phases(spectrum[bins]) + _levels(power[bins]) + _harmonics(fine[_bins(low, high, 4096, sample_rate)])
        values += _attacks(envelope, sample_rate / 32)
    for one, other in itertools.pairwise(rises):
        values.append(math.nan if one is None or other is None else _correlation(one, other))
    return np.array(values + _residual(x, mean_power), np.float32)


def _bandwidth(power: np.ndarray, sample_rate: int) -> float:
    """The highest frequency (Hz) at which a power spectrum is within 70 dB of its maximum."""
    smooth = np.convolve(power, np.ones(9) / 9, "same")
    return float(np.flatnonzero(smooth > smooth.max() * 1e-7)[-1]) * sample_rate / 2 / (len(power) - 1)


def _stft(x: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    """(n_fft // 2 + 1, frames) complex64. The reference of the phases does not matter: second differences remove it."""
    frames = np.lib.stride_tricks.sliding_window_view(x, n_fft)[::hop] * _hann(n_fft)
    return np.asarray(scipy.fft.rfft(frames, axis=1)).T


def _smooth(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return scipy.ndimage.uniform_filter(values, size)  # pyright: ignore[reportArgumentType]


@cache
def _hann(n: int) -> np.ndarray:
    return np.asarray(scipy.signal.get_window("hann", n), np.float32)


def _bins(low: float, high: float, n_fft: int, sample_rate: int) -> slice:
    first = math.ceil(low * n_fft / sample_rate)
    return slice(first, max(math.ceil(high * n_fft / sample_rate), first + 1))


def _phases(z: np.ndarray) -> list[float]:
    size = np.abs(z) + _FLOOR
    unit, weight = z / size, np.sqrt(size)
    along, up = unit[:, 1:] * unit[:, :-1].conj(), unit[1:] * unit[:-1].conj()
    return [
        _mean_cosine(along[:, 1:] * along[:, :-1].conj(), weight[:, 1:-1]),
        _mean_cosine(along[1:] * along[:-1].conj(), weight[1:, 1:]),
        _mean_cosine(up[1:] * up[:-1].conj(), weight[1:-1]),
    ]


def _mean_cosine(second: np.ndarray, weight: np.ndarray) -> float:
    return float((np.real(second) * weight).sum() / weight.sum())


def _levels(power: np.ndarray) -> list[float]:
    relative = np.log((power + _FLOOR) / (_smooth(power, (5, 9)) + _FLOOR))
    deviation = relative - relative.mean()
    variance = np.mean(deviation**2) + _FLOOR
    return [
        float(relative.mean()),
        float(np.mean(deviation * deviation * deviation) / variance**1.5),
        float(np.mean(deviation[:, 3:] * deviation[:, :-3]) / variance),
        float(np.mean(deviation[2:] * deviation[:-2]) / variance),
    ]


def _harmonics(fine: np.ndarray) -> list[float]:
    local = fine - _smooth(fine, (31, 1))
    deviation = local - local.mean()
    stability = np.mean(deviation[:, 4:] * deviation[:, :-4]) / (np.mean(deviation**2) + _FLOOR)
    return [float(local.std()), float(stability)]


def _attacks(envelope: np.ndarray, rate: float) -> list[float]:
    rise = np.diff(envelope)
    spread = rise.std() + _FLOOR
    frequencies, density = scipy.signal.welch(envelope, rate, nperseg=512)
    fast = density[frequencies > 200].sum() / (density[frequencies > 20].sum() + _FLOOR)
    return [
        float(np.log(max(np.quantile(rise, 0.998), 0) / spread + _FLOOR)),
        float(np.mean(rise * rise * rise) / spread**3),
        float(np.log(fast + 1e-6)),
    ]


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    covariance = np.mean((one - one.mean()) * (other - other.mean()))
    return float(covariance / (one.std() * other.std() + _FLOOR))


def _residual(x: np.ndarray, power: np.ndarray) -> list[float]:
    correlation = np.asarray(scipy.fft.irfft(power.astype(np.float64)))[: _ORDER + 1]
    correlation[0] *= 1 + 1e-7
    taps = scipy.linalg.solve_toeplitz(correlation[:_ORDER], correlation[1:])
    residual = np.convolve(x, np.r_[1, -taps].astype(np.float32), "valid")
    residual /= residual.std() + _FLOOR
    squares = residual * residual
    clipped, lines = np.clip(residual, -10, 10), np.minimum(squares, 16.0)
    n = int(scipy.fft.prev_fast_len(len(lines), real=True) or 1)
    modulation = np.abs(np.asarray(scipy.fft.rfft((lines[:n] - lines.mean()) * _hann(n)))) ** 2
    return [
        float(np.log(np.mean(squares * squares))),
        float(abs(np.mean(clipped * clipped * clipped))),
        max(_line(modulation, n, stride) for stride in _STRIDES),
        max(_line(modulation, n, stride) for stride in _ODD_STRIDES),
    ]


def _line(modulation: np.ndarray, n: int, stride: int) -> float:
    """Mean log power at the first four harmonics of a stride, relative to the median of the surroundings."""
    ratios = []
    for harmonic in range(1, 5):
        at = round(n * harmonic / stride)
        ratios.append(modulation[at - 1 : at + 2].max() / (np.median(modulation[at - 40 : at + 41]) + _FLOOR))
    return float(np.mean(np.log(np.array(ratios) + _FLOOR)))
