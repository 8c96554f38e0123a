"""Decoders and vocoders in a few lines each: they rewrite a waveform from something coarser and guess the rest.

Conventions
-----------
- A family is a function of (waveform, sample_rate, rng) to a waveform of the same length and rate, mono float32, with
  settings drawn from `rng`. Families differ in what they keep and in how they guess the rest:

| family | keeps | guesses |
|---|---|---|
| griffin_lim | magnitudes of an STFT | phases, iteratively from random ones |
| mel | magnitudes in 80 to 160 mel bands | magnitudes within a band, then phases iteratively |
| phase_gradient | magnitudes of an STFT | phases in one pass, from the frequency of the nearest peak |
| harmonic_noise | up to 60 peaks per frame, the level of the rest in bands | initial phases of partials, the noise |
| linear_prediction | 24 to 40 coefficients per frame, the residual below 2 kHz | the residual above, by rectification |
| strided | 24 to 64 numbers per stride of 128 to 320 samples | nothing: the rest is lost |
| upsampler | every 4th sample | the other three, by short transposed convolutions, as in a neural vocoder |

Source: Griffin and Lim 1984; Beauregard, Harish and Wyse 2015 (single pass inversion); Serra and Smith 1990 (sinusoids
and noise); Makhoul and Berouti 1979 (high frequencies by rectification); Odena et al. 2016 (checkerboards).
"""

from collections.abc import Callable

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.signal
import soxr

from audioae.audio.librosa_modules import librosa

Family = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def griffin_lim(waveform: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    n_fft = int(rng.choice([512, 1024, 2048]))
    hop, rounds = n_fft // int(rng.choice([2, 4, 4])), int(rng.choice([4, 8, 16]))
    magnitude = np.abs(librosa.stft(waveform, n_fft=n_fft, hop_length=hop))
    return _iterate(magnitude, n_fft, hop, rounds, len(waveform), rng)


def mel(waveform: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    n_fft = int(rng.choice([1024, 2048]))
    hop, n_mels = n_fft // 4, int(rng.choice([80, 100, 128, 160]))
    bank = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels)
    power = np.abs(librosa.stft(waveform, n_fft=n_fft, hop_length=hop)) ** 2
    magnitude = np.sqrt(np.maximum(np.linalg.pinv(bank) @ (bank @ power), 0))
    return _iterate(magnitude, n_fft, hop, 12, len(waveform), rng)


def phase_gradient(waveform: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    n_fft = int(rng.choice([1024, 2048]))
    hop = n_fft // int(rng.choice([4, 8]))
    magnitude = np.abs(librosa.stft(waveform, n_fft=n_fft, hop_length=hop))
    phase = np.zeros(len(magnitude))
    spectrum = np.empty(magnitude.shape, np.complex64)
    for t in range(magnitude.shape[1]):
        peaks, frequency = _peaks(magnitude[:, t])
        if len(peaks):
            nearest = _nearest(peaks, len(magnitude))
            phase[peaks] += 2 * np.pi * frequency * hop / n_fft
            phase = phase[peaks][nearest] + np.pi * (np.arange(len(magnitude)) - peaks[nearest])
        spectrum[:, t] = magnitude[:, t] * np.exp(1j * phase)
    return librosa.istft(spectrum, hop_length=hop, n_fft=n_fft, length=len(waveform))


def harmonic_noise(waveform: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    n_fft, max_peaks = 2048, int(rng.choice([20, 40, 60]))
    hop = n_fft // int(rng.choice([4, 8]))
    spectrum = librosa.stft(waveform, n_fft=n_fft, hop_length=hop)
    magnitude = np.abs(spectrum)
    bins = np.arange(len(magnitude))
    phase = rng.uniform(-np.pi, np.pi, len(magnitude))
    tones = np.zeros(spectrum.shape, np.complex64)
    rest = magnitude.copy()
    for t in range(magnitude.shape[1]):
        peaks, frequency = _peaks(magnitude[:, t])
        order = np.argsort(magnitude[peaks, t])[-max_peaks:]
        peaks, frequency = peaks[order], frequency[order]
        phase[peaks] += 2 * np.pi * frequency * hop / n_fft
        for step, gain in ((-1, 0.5), (0, 1.0), (1, 0.5)):
            tones[peaks + step, t] = gain * magnitude[peaks, t] * np.exp(1j * (phase[peaks] + np.pi * step))
            rest[peaks + step, t] = 0
    edges = np.unique(np.geomspace(1, len(bins), 40).astype(int))
    level = np.sqrt(np.add.reduceat(rest**2, np.r_[0, edges[:-1]], axis=0) / np.diff(np.r_[0, edges])[:, None])
    noise = np.repeat(level, np.diff(np.r_[0, edges]), axis=0) * np.exp(2j * np.pi * rng.random(rest.shape))
    return librosa.istft(tones + noise.astype(np.complex64), hop_length=hop, n_fft=n_fft, length=len(waveform))


def linear_prediction(waveform: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    order, n = int(rng.choice([24, 32, 40])), int(sample_rate * rng.choice([0.02, 0.03]))
    hop = n // 2
    padded = np.pad(waveform, (n, 2 * n))
    window = np.hanning(n + 1)[:-1]
    low = scipy.signal.butter(4, 2000, fs=sample_rate, output="sos")
    starts = range(0, len(padded) - n, hop)
    taps = [_prediction(padded[s : s + n] * window, order) for s in starts]
    residual = np.zeros(len(padded))
    for s, a in zip(starts, taps, strict=True):
        residual[s : s + n] += window * scipy.signal.lfilter(a, [1.0], padded[s : s + n])
    base = np.asarray(scipy.signal.sosfilt(low, residual))
    noise = 0.1 * base.std() * rng.standard_normal(len(base))
    rectified = np.asarray(scipy.signal.lfilter([1, -0.9], [1.0], np.abs(base))) + noise
    high = rectified - np.asarray(scipy.signal.sosfilt(low, rectified))
    copy = np.zeros(len(padded))
    for s, a in zip(starts, taps, strict=True):
        gain = np.std(residual[s : s + n] - base[s : s + n]) / (np.std(high[s : s + n]) + 1e-9)
        copy[s : s + n] += window * scipy.signal.lfilter([1.0], a, base[s : s + n] + gain * high[s : s + n])
    return match_level(copy[n : n + len(waveform)], waveform)


def strided(waveform: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    stride, kept = int(rng.choice([128, 160, 256, 320])), int(rng.choice([24, 40, 64]))
    n = 2 * stride
    window = np.sin(np.pi * (np.arange(n) + 0.5) / n)
    padded = np.pad(waveform, (n, 2 * n))
    tilted = scipy.signal.lfilter([1, -0.95], [1.0], padded)  # otherwise the low notes would take all components
    frames = np.lib.stride_tricks.sliding_window_view(tilted, n)[::stride] * window
    basis = np.linalg.eigh(frames.T @ frames)[1][:, -kept:]
    codes = frames @ basis
    step = np.maximum(codes.std(axis=0) / 8, 1e-9)
    frames = (np.round(codes / step) * step) @ basis.T * window
    copy = np.zeros(len(frames) * stride + n)
    for half in (0, 1):
        copy[half * stride : half * stride + len(frames) * stride] += frames[:, half * stride :][:, :stride].reshape(-1)
    return match_level(np.asarray(scipy.signal.lfilter([1.0], [1, -0.95], copy))[n : n + len(waveform)], waveform)


def upsampler(waveform: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    copy = soxr.resample(waveform, sample_rate, sample_rate / 4, quality="HQ")
    for _ in range(2):
        taps = int(rng.choice([8, 12, 16]))
        kernel = scipy.signal.firwin(taps, 0.5) * (1 + 0.15 * rng.standard_normal(taps))
        stuffed = np.zeros(2 * len(copy))
        stuffed[::2] = copy
        copy = np.convolve(stuffed, 2 * kernel / kernel.sum(), "same")
        copy = np.where(copy > 0, copy, 0.8 * copy)
    copy -= copy.mean()
    return match_level(np.resize(np.pad(copy, (0, 8)), len(waveform)), waveform)


FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (griffin_lim, mel, phase_gradient, harmonic_noise, linear_prediction, strided, upsampler)
}


def _iterate(magnitude: np.ndarray, n_fft: int, hop: int, rounds: int, n: int, rng: np.random.Generator) -> np.ndarray:
    return librosa.griffinlim(
        magnitude, n_iter=rounds, hop_length=hop, n_fft=n_fft, length=n, random_state=int(rng.integers(2**31))
    )


def _peaks(magnitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bins of local maxima, and their frequencies in bins, by a parabola through three log magnitudes."""
    log = np.log(magnitude + 1e-9)
    peaks = 2 + np.flatnonzero((log[2:-2] > log[1:-3]) & (log[2:-2] >= log[3:-1]))
    a, b, c = log[peaks - 1], log[peaks], log[peaks + 1]
    return peaks, peaks + 0.5 * (a - c) / np.minimum(a - 2 * b + c, -1e-9)


def _nearest(peaks: np.ndarray, n: int) -> np.ndarray:
    """For each of n bins, the position in `peaks` (ascending) of the nearest peak."""
    return np.searchsorted((peaks[1:] + peaks[:-1]) / 2, np.arange(n))


def _prediction(frame: np.ndarray, order: int) -> np.ndarray:
    correlation = np.correlate(frame, frame, "full")[len(frame) - 1 :][: order + 1]
    correlation[0] = correlation[0] * 1.0001 + 1e-9
    return np.r_[1, -scipy.linalg.solve_toeplitz(correlation[:order], correlation[1:])]


def match_level(copy: np.ndarray, waveform: np.ndarray) -> np.ndarray:
    """The copy, float32, at the waveform's level."""
    return (copy * (np.std(waveform) / (np.std(copy) + 1e-12))).astype(np.float32)
