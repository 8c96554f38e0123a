"""The evidence that the making of a waveform leaves in a section of it.

Conventions
-----------
- Evidence is a vector of `EVIDENCE_NAMES`, float32; NaN: the waveform has nothing there, as above its bandwidth.
- Bands are in Hz, since recordings are; strides and frames in samples, since decoders are.

In each of `BANDS`, by an STFT of 1,024 samples every 288 (a hop that no decoder has): `phase_time`, `phase_cross`,
`phase_frequency`, the mean cosine of the phase's second difference along time, both, and frequency (of chance: 0);
`depth` and `tails`, mean and skewness of the log power around its surroundings; `keeps` and `spreads`, its
correlation three frames and two bins on. By an STFT of 4,096 samples: `contrast` between harmonics and what lies
between them, and `holds`, how that stays where it is. In steps of 32 samples: `attack` and `attack_skew`, how fast and
how unevenly the level rises, and `beats`, the share of its changes that are faster than 200 a second. `together` is
how the levels of neighboring bands change at one moment. In what a linear prediction of 32 samples leaves over:
`spiky` (log kurtosis), `lopsided` (skewness), and `stride`, how far its power stands out at the frequencies of strides
that are powers of two, `stride_odd` of others.

Source: second differences of the phase: Flandrin, Auger and Chassande-Mottin 2002; lines of the power at a period of
the process: Gardner 1991. What is put together from them is our own.
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
    *("phase_time", "phase_cross", "phase_frequency", "depth", "tails", "keeps", "spreads"),
    *("contrast", "holds", "attack", "attack_skew", "beats"),
)
_EDGES = [f"{low / 1000:g}-{high / 1000:g} kHz" for low, high in BANDS]
EVIDENCE_NAMES = (
    *(f"{name} {edges}" for edges in _EDGES for name in _BAND_NAMES),
    *(f"together {edges}" for edges in _EDGES[1:]),
    *("spiky", "lopsided", "stride", "stride_odd"),
)

_FLOOR = 1e-10
_ORDER = 32
_POWERS = (64, 128, 256, 512)
_OTHERS = (80, 100, 120, 160, 200, 220, 240, 300, 320, 441, 480)  # not 192 and 576, which are mp3's


def section_artifacts(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Bandwidth (Hz) and evidence of a waveform that is not silent; shape (1 + len(EVIDENCE_NAMES),), float32."""
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
    return np.array(values + _excitation(x, mean_power), np.float32)


def _bandwidth(power: np.ndarray, sample_rate: int) -> float:
    """Up to which frequency (Hz) there is more than 70 dB below the loudest part of a power spectrum."""
    smooth = np.convolve(power, np.ones(9) / 9, "same")
    return float(np.flatnonzero(smooth > smooth.max() * 1e-7)[-1]) * sample_rate / 2 / (len(power) - 1)


def _stft(x: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    """(n_fft // 2 + 1, frames) complex64. Where a frame's phase refers to does not matter to second differences."""
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
    held = np.mean(deviation[:, 4:] * deviation[:, :-4]) / (np.mean(deviation**2) + _FLOOR)
    return [float(local.std()), float(held)]


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


def _excitation(x: np.ndarray, power: np.ndarray) -> list[float]:
    correlation = np.asarray(scipy.fft.irfft(power.astype(np.float64)))[: _ORDER + 1]
    correlation[0] *= 1 + 1e-7
    taps = scipy.linalg.solve_toeplitz(correlation[:_ORDER], correlation[1:])
    left = np.convolve(x, np.r_[1, -taps].astype(np.float32), "valid")
    left /= left.std() + _FLOOR
    squares = left * left
    clipped, lines = np.clip(left, -10, 10), np.minimum(squares, 16.0)
    n = int(scipy.fft.prev_fast_len(len(lines), real=True) or 1)
    beat = np.abs(np.asarray(scipy.fft.rfft((lines[:n] - lines.mean()) * _hann(n)))) ** 2
    return [
        float(np.log(np.mean(squares * squares))),
        float(abs(np.mean(clipped * clipped * clipped))),
        max(_line(beat, n, stride) for stride in _POWERS),
        max(_line(beat, n, stride) for stride in _OTHERS),
    ]


def _line(beat: np.ndarray, n: int, stride: int) -> float:
    """Mean log of the power at the first four harmonics of a stride, against the median around."""
    ratios = []
    for harmonic in range(1, 5):
        at = round(n * harmonic / stride)
        ratios.append(beat[at - 1 : at + 2].max() / (np.median(beat[at - 40 : at + 41]) + _FLOOR))
    return float(np.mean(np.log(np.array(ratios) + _FLOOR)))
