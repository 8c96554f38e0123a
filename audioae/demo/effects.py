"""Effects of a mixing desk: rooms, echoes, chorus, drive, tremolo, ducking, tone and the master bus.

Conventions: a bus is mono float32, shape (n,); a mix is stereo float32, shape (2, n).

Source: the shelves are those of R. Bristow-Johnson's audio EQ cookbook.
"""

import numpy as np
from scipy import fft, signal

from audioae.demo import oscillators as osc

BUTTERWORTH_Q = 2**-0.5
_CACHED = 16_384  # samples whose temporary arrays fit into a CPU's cache
_CONVOLVED = 131_072  # samples whose spectra do


def pan(bus: np.ndarray, position: float) -> np.ndarray:
    """Place a mono bus between left (-1) and right (1) at constant power."""
    angle = (position + 1) * np.pi / 4
    return np.multiply.outer(np.array([np.cos(angle), np.sin(angle)], np.float32), bus)


def drive(bus: np.ndarray, amount: float, rate: int) -> np.ndarray:
    """Overdrive and a guitar cabinet: saturation, then the pass band of a 12-inch speaker."""
    level = np.float32(np.sqrt(np.mean(bus**2)) + 1e-6)
    hot = np.tanh(bus * (np.float32(0.5 + 6 * amount) / (3 * level)))
    return osc.low_pass(osc.high_pass(hot, 80, rate), 5200, rate) * (level * np.float32(3))


def chorus(bus: np.ndarray, depth_ms: float, speed_hz: float, rate: int) -> np.ndarray:
    """Widen a mono bus to stereo with two slowly drifting copies."""
    n, middle, depth = len(bus), 0.012 * rate, 0.0005 * depth_ms * rate
    drift = np.sin(osc.TAU * osc.phase(speed_hz, n, rate))
    lead = int(middle + depth) + 2
    padded = np.concatenate([np.full(lead, bus[0]), bus])
    slope = np.diff(padded)
    out = np.float32(0.75) * np.stack([bus, bus])
    for first in range(0, n, _CACHED):
        part = drift[first : first + _CACHED]
        now = np.arange(lead + first, lead + first + len(part))
        for side, sign in zip(out, (1, -1), strict=True):
            delay = np.float32(middle) + np.float32(sign * depth) * part
            whole = delay.astype(np.intp)
            at = now - whole
            side[first : first + _CACHED] += np.float32(0.6) * (padded[at] - (delay - whole) * slope[at - 1])
    return out


def tremolo(bus: np.ndarray, speed_hz: float, depth: float, rate: int) -> np.ndarray:
    """Raise and lower the level of a bus `speed_hz` times a second."""
    wobble = np.sin(osc.TAU * osc.phase(speed_hz, len(bus), rate))
    return bus * (1 - np.float32(depth) * (np.float32(0.5) + np.float32(0.5) * wobble))


def echo(bus: np.ndarray, delay_s: float, feedback: float, rate: int) -> np.ndarray:
    """The repeats alone (without the bus), stereo, alternating between the sides and darker each time."""
    out = np.zeros((2, len(bus)), np.float32)
    shift, repeat = max(int(delay_s * rate), 1), bus
    for bounce in range(1, 6):
        first = bounce * shift
        if feedback**bounce < 0.05 or first >= len(bus):
            break
        repeat = osc.low_pass(repeat[: len(bus) - first], 3200, rate)
        left, right = (0.8, 0.35) if bounce % 2 else (0.35, 0.8)
        out[0, first:] += np.float32(left * feedback**bounce) * repeat
        out[1, first:] += np.float32(right * feedback**bounce) * repeat
    return out


def reverb(bus: np.ndarray, seconds: float, damping_hz: float, rng: np.random.Generator, rate: int) -> np.ndarray:
    """A room, stereo: the bus convolved with decaying noise whose treble fades first."""
    m = int(seconds * rate)
    bright, dark = (osc.decay(m, seconds / (6.9 * speed), rate) for speed in (2.5, 1.0))
    room = osc.noise(2 * m, rng).reshape(2, m)
    muffled = osc.low_pass(room, damping_hz, rate)
    room = (room - muffled) * (np.float32(0.4) * bright) + muffled * dark
    room[:, : int(0.012 * rate)] = 0
    room /= np.sqrt(np.sum(room**2, axis=1, keepdims=True))
    return _convolve(bus, room)


def duck(n: int, beats_s: np.ndarray, depth: float, rate: int) -> np.ndarray:
    """The pumping gain of a side chain: down at every kick, back within a quarter of a second."""
    gain = np.ones(n, np.float32)
    dip = 1 - np.float32(depth) * osc.decay(int(0.3 * rate), 0.09, rate)
    for beat_s in beats_s:
        first = int(beat_s * rate)
        gain[first : first + len(dip)] = dip[: max(n - first, 0)]
    return gain


def tilt(mix: np.ndarray, low_db: float, high_db: float, rate: int) -> np.ndarray:
    """Shelves below 250 Hz and above 2.5 kHz, in one pass."""
    sections = np.stack([_shelf(250, low_db, rate, is_high=False), _shelf(2500, high_db, rate, is_high=True)])
    return np.asarray(signal.sosfilt(sections.astype(np.float32), mix, axis=-1))


def master(mix: np.ndarray, level_db: float, rate: int) -> np.ndarray:
    """Gentle compression to an RMS of about `level_db` re full scale, and a soft ceiling below 0.97."""
    hop, n = rate // 50, mix.shape[1]
    blocks = mix[:, : n // hop * hop].reshape(2, -1, hop)
    power = np.einsum("cbi,cbi->b", blocks, blocks) / (2 * hop)
    smooth = np.convolve(np.pad(power, 7, mode="edge"), np.hanning(17)[1:-1] / 8, mode="valid")
    mean = np.mean(power) + 1e-12
    gain = (np.maximum(smooth, mean * 0.02) / mean) ** -0.15
    loud = mix * _between_blocks(gain, hop, n)
    loud *= np.float32(10 ** (level_db / 20) / np.sqrt(np.mean(loud**2) + 1e-12))
    over = np.flatnonzero(np.abs(loud) > 0.6)
    peaks = loud.reshape(-1)[over]
    loud.reshape(-1)[over] = np.copysign(0.6 + 0.37 * np.tanh((np.abs(peaks) - 0.6) / 0.37), peaks)
    return loud


def _convolve(bus: np.ndarray, room: np.ndarray) -> np.ndarray:
    """The first n samples of a mono bus convolved with a stereo response, in blocks that fit into a CPU's cache."""
    n, m = len(bus), room.shape[1]
    size = int(fft.next_fast_len(max(3 * m, _CONVOLVED), real=True) or 0)
    step = size - m + 1
    response = np.asarray(fft.rfft(room, size))
    out = np.zeros((2, n), np.float32)
    for first in range(0, n, step):
        spectrum = np.asarray(fft.rfft(bus[first : first + step], size))
        block = np.asarray(fft.irfft(spectrum * response, size))
        out[:, first : first + size] += block[:, : n - first]
    return out


def _between_blocks(values: np.ndarray, hop: int, n: int) -> np.ndarray:
    """A value per block of `hop` samples as a value per sample, linear between the middles of blocks."""
    ends = np.concatenate([values[:1], values, np.repeat(values[-1:], n // hop + 2 - len(values))]).astype(np.float32)
    ramp = np.arange(hop, dtype=np.float32) / hop
    lines = ends[:-1, None] + np.diff(ends)[:, None] * ramp
    return lines.reshape(-1)[hop // 2 : hop // 2 + n]


def _shelf(hz: float, gain_db: float, rate: int, *, is_high: bool) -> np.ndarray:
    """A second-order shelf as a section (b0, b1, b2, a0, a1, a2) for `scipy.signal.sosfilt`."""
    gain, w = 10 ** (gain_db / 40), 2 * np.pi * hz / rate
    cos, slope = np.cos(w), 2 * np.sqrt(gain) * np.sin(w) / (2 * BUTTERWORTH_Q)
    sign = -1 if is_high else 1
    b = (
        gain * (gain + 1 - sign * (gain - 1) * cos + slope),
        sign * 2 * gain * (gain - 1 - sign * (gain + 1) * cos),
        gain * (gain + 1 - sign * (gain - 1) * cos - slope),
    )
    a = (
        gain + 1 + sign * (gain - 1) * cos + slope,
        -sign * 2 * (gain - 1 + sign * (gain + 1) * cos),
        gain + 1 + sign * (gain - 1) * cos - slope,
    )
    return np.array([*b, *a]) / a[0]
