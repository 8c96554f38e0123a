"""Effects of a mixing desk: rooms, echoes, chorus, drive, tremolo, ducking, tone and the master bus.

Conventions: a bus is mono float32, shape (n,); a mix is stereo float32, shape (2, n).
"""

import numpy as np
from scipy import fft

from audioae.demo import oscillators as osc


def pan(bus: np.ndarray, position: float) -> np.ndarray:
    """Place a mono bus between left (-1) and right (1) at constant power."""
    angle = (position + 1) * np.pi / 4
    return np.stack([bus * np.float32(np.cos(angle)), bus * np.float32(np.sin(angle))])


def drive(bus: np.ndarray, amount: float, rate: int) -> np.ndarray:
    """Overdrive and a guitar cabinet: saturation, then what a 12-inch speaker lets through."""
    level = np.float32(np.sqrt(np.mean(bus**2)) + 1e-6)
    hot = np.tanh(bus * np.float32(0.5 + 6 * amount) / (3 * level))
    return osc.low_pass(osc.high_pass(hot, 80, rate), 5200, rate) * level * np.float32(3)


def chorus(bus: np.ndarray, depth_ms: float, speed_hz: float, rate: int) -> np.ndarray:
    """Widen a mono bus to stereo with two slowly drifting copies."""
    n = np.arange(len(bus))
    drift = np.sin(2 * np.pi * speed_hz / rate * n)
    sides = [np.interp(n - (0.012 + side * depth_ms / 1000 * drift) * rate, n, bus) for side in (0.5, -0.5)]
    return np.stack([0.75 * bus + 0.6 * side for side in sides]).astype(np.float32)


def tremolo(bus: np.ndarray, speed_hz: float, depth: float, rate: int) -> np.ndarray:
    wobble = np.sin(np.float32(2 * np.pi * speed_hz / rate) * np.arange(len(bus), dtype=np.float32))
    return bus * (1 - np.float32(depth) * (np.float32(0.5) + np.float32(0.5) * wobble))


def echo(bus: np.ndarray, delay_s: float, feedback: float, rate: int) -> np.ndarray:
    """The repeats alone (not the bus itself), stereo, thrown from side to side and darker each time."""
    out = np.zeros((2, len(bus)), np.float32)
    shift, repeat = max(int(delay_s * rate), 1), bus
    for bounce in range(1, 6):
        first = bounce * shift
        if feedback**bounce < 0.05 or first >= len(bus):
            break
        repeat = osc.low_pass(repeat[: len(bus) - first], 3200, rate)
        left, right = (0.8, 0.35) if bounce % 2 else (0.35, 0.8)
        gain = np.float32(feedback**bounce)
        out[0, first:] += np.float32(left) * gain * repeat
        out[1, first:] += np.float32(right) * gain * repeat
    return out


def reverb(bus: np.ndarray, seconds: float, damping_hz: float, rng: np.random.Generator, rate: int) -> np.ndarray:
    """A room, stereo: the bus convolved with decaying noise whose top fades first."""
    m = int(seconds * rate)
    bright, dark = np.exp(-6.9 * np.arange(m, dtype=np.float32) / m * np.array([[2.5], [1.0]], np.float32))
    room = osc.noise(2 * m, rng).reshape(2, m)
    muffled = osc.low_pass(room, damping_hz, rate)
    room = 0.4 * (room - muffled) * bright + muffled * dark
    room[:, : int(0.012 * rate)] = 0
    room /= np.sqrt(np.sum(room**2, axis=1, keepdims=True))
    length = fft.next_fast_len(len(bus) + m, real=True)
    spectrum = np.asarray(fft.rfft(bus, length)) * np.asarray(fft.rfft(room, length))
    wet = np.asarray(fft.irfft(spectrum, length))
    return wet[:, : len(bus)].astype(np.float32)


def duck(n: int, beats_s: np.ndarray, depth: float, rate: int) -> np.ndarray:
    """The pumping gain of a side chain: down at every kick, back within a quarter of a second."""
    gain = np.ones(n, np.float32)
    dip = 1 - np.float32(depth) * np.exp(-np.arange(int(0.3 * rate), dtype=np.float32) / np.float32(0.09 * rate))
    for beat_s in beats_s:
        first = int(beat_s * rate)
        gain[first : first + len(dip)] = dip[: max(n - first, 0)]
    return gain


def tilt(mix: np.ndarray, low_db: float, high_db: float, rate: int) -> np.ndarray:
    """Shelves below 250 Hz and above 2.5 kHz."""
    low = osc.low_pass(mix, 250, rate)
    high = osc.high_pass(mix, 2500, rate)
    return mix + np.float32(10 ** (low_db / 20) - 1) * low + np.float32(10 ** (high_db / 20) - 1) * high


def master(mix: np.ndarray, level_db: float, rate: int) -> np.ndarray:
    """Gentle compression to an RMS of about `level_db` re full scale, and a soft ceiling below 0.97."""
    hop = rate // 50
    power = np.mean(mix[:, : mix.shape[1] // hop * hop].reshape(2, -1, hop) ** 2, axis=(0, 2))
    smooth = np.convolve(np.pad(power, 7, mode="edge"), np.hanning(17)[1:-1] / 8, mode="valid")
    mean = np.mean(power) + 1e-12
    gain = (np.maximum(smooth, mean * 0.02) / mean) ** -0.15
    curve = np.interp(np.arange(mix.shape[1]), (np.arange(len(gain)) + 0.5) * hop, gain).astype(np.float32)
    loud = mix * curve
    loud *= np.float32(10 ** (level_db / 20)) / np.sqrt(np.mean(loud**2) + np.float32(1e-12))
    over = np.abs(loud) > 0.6
    loud[over] = np.sign(loud[over]) * (0.6 + 0.37 * np.tanh((np.abs(loud[over]) - 0.6) / 0.37))
    return loud
