"""Evidence of faults in a track, measured at its own rate on the samples that were decoded anyway.

This is evidence, not a verdict: what makes a finding of it is decided later, with all tracks in view.

Conventions
-----------
- Levels are dBFS: 0 is full scale (1.0), silence is -120. "Examined" is all of a short track, the clips of a long one.
- `None` stands where a value has no meaning (correlation of a mono track) or is not known.

`HEALTH_COLUMNS`: name -> type, in this order:

- container, codec: what the content is, whatever the extension says
- sample_rate [Hz], channels, bit_rate [bit/s, of the whole file]
- claimed_s, duration_s, examined_s [s]: by the header; by the decoder; measured here
- mono_from: "mean" of the channels, or "channel <i>" where the channels cancel each other in the mean
- peak [1 = full scale]; rms_dbfs, both over all channels; dc_offset [1 = full scale]: the largest mean of a channel
- clipped_fraction: share of samples at full scale (0.999 and above); clipped_run [samples]: the longest run of them
- flat_fraction: share of samples within 2 % of the peak of their 1.5 s: 1e-4 to 1e-3 in music, above 1e-2 if it was
  clipped at any level and then turned down or encoded
- zero_fraction, zero_run_s [s]: samples that are exactly 0 in every channel, and the longest run of them
- channel_difference_db [dB]: loudest against quietest channel; correlation: of the first two channels, -1 to 1
- cutoff_hz [Hz]: above it the mean spectrum stays 100 dB below its maximum: the edge of a low-pass or of a lower rate
- noise_floor_dbfs: level that 10 % of the frames (1,024 samples) stay below
- hum_db [dB]: how far 50 or 60 Hz and its harmonics stand out of the quietest tenth of the spectra
- fall_db, burst_db, click_db, repeat, hum_line_db: `audio/course.py`; bandwidth_hz, edge_db, flatness_db, flicker_db:
  `audio/spectrum.py`
- distinct_fraction: how many of 2,048 samples in a row differ in value, of the first channel, in the median look: 1 in
  music of 16 bits, below 0.1 where most of them are missing
- quiet_fraction: share of the frames (1,024 samples) that stay 50 dB below the mean power; tail_s [s]: those at the end

Why the statistics are sums, dot products and extremes of blocks in the cache: all of it has to cost below a tenth of
decoding. Tests for the rare (runs, clipping) start only where a cheap one says that there is something.
"""

from functools import cache
from typing import Any

import numpy as np

from audioae.audio.spectrum import spectral_evidence
from audioae.audio.transients import TransientMeter

HEALTH_COLUMNS: dict[str, type] = {
    "container": str,
    "codec": str,
    "sample_rate": int,
    "channels": int,
    "bit_rate": int,
    "claimed_s": float,
    "duration_s": float,
    "examined_s": float,
    "mono_from": str,
    "peak": float,
    "rms_dbfs": float,
    "dc_offset": float,
    "clipped_fraction": float,
    "clipped_run": int,
    "flat_fraction": float,
    "zero_fraction": float,
    "zero_run_s": float,
    "channel_difference_db": float,
    "correlation": float,
    "cutoff_hz": float,
    "noise_floor_dbfs": float,
    "hum_db": float,
    "fall_db": float,
    "burst_db": float,
    "click_db": float,
    "repeat": float,
    "hum_line_db": float,
    "bandwidth_hz": float,
    "edge_db": float,
    "flatness_db": float,
    "flicker_db": float,
    "distinct_fraction": float,
    "quiet_fraction": float,
    "tail_s": float,
}

_SILENCE = 1e-12  # power of -120 dBFS
_FULL_SCALE = 0.999
_AUDIBLE = 0.01
_ZEROS = 32  # zeros in a block below which no run is looked for
_FRAME = 1024
_SOME = 2048
_ONES = np.ones(65_536, np.float32)  # a dot product with them is the fastest sum
_RESOLUTION_HZ = 5.4
_LOOK_S = 2.5  # from one closer look, at a block of up to 1.5 s, to the next


class HealthMeter:
    """Accumulates evidence block by block, in the order of the track; gaps between blocks are allowed."""

    def __init__(self, sample_rate: int, channels: int):
        self.sample_rate, self.channels = sample_rate, channels
        self.n_frames = 0
        self.energy = np.zeros(channels)
        self.mono_energy = 0.0
        self._low, self._high = np.full(channels, np.inf), np.full(channels, -np.inf)
        self._sum, self._cross = np.zeros(channels), 0.0
        self._clipped, self._zero = _Runs(), _Runs()
        self._n_flat = self._n_looked = 0
        self._n_fft = 1 << round(np.log2(sample_rate / _RESOLUTION_HZ))
        self._window = _window(self._n_fft)
        self._frame_powers: list[np.ndarray] = []
        self._course = TransientMeter(sample_rate)
        self._distinct: list[float] = []
        self._spectra: list[np.ndarray] = []
        self._next, self._next_look = -1, 0

    def add(self, planes: np.ndarray, mono: np.ndarray, position: int) -> None:
        """Take in a block: planes (channels, n), finite, their mix (n,), and the frame where it begins."""
        n = len(mono)
        joined, self._next = position == self._next, position + n
        low, high = planes.min(axis=1), planes.max(axis=1)
        peak = max(float(high.max()), -float(low.min()))
        self.n_frames += n
        self.energy += np.vecdot(planes, planes)
        self.mono_energy += float(np.dot(mono, mono))
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        self._sum += np.vecdot(planes, _ONES[:n]) if n <= len(_ONES) else planes.sum(axis=1)
        self._cross += float(np.dot(planes[0], planes[-1])) if self.channels == 2 else 0.0
        self._clipped.add(_clipped(planes) if peak >= _FULL_SCALE else None, joined)
        self._zero.add(_all_zero(planes) if np.count_nonzero(mono == 0) >= _ZEROS else None, joined)
        frames = mono[: n // _FRAME * _FRAME].reshape(-1, _FRAME)
        self._frame_powers.append(np.vecdot(frames, frames) / _FRAME)
        self._course.add(mono, joined)
        if position >= self._next_look:
            self._next_look = position + int(_LOOK_S * self.sample_rate)
            self._look(planes, mono, peak)

    def _look(self, planes: np.ndarray, mono: np.ndarray, peak: float) -> None:
        """What is too costly to do to every block."""
        if peak > _AUDIBLE:
            self._n_looked += planes.size
            self._n_flat += int(np.count_nonzero(planes > 0.98 * peak) + np.count_nonzero(planes < -0.98 * peak))
            n_levels = len(np.unique(planes[0, :_SOME]))
            if n_levels > 1:
                self._distinct.append(n_levels / min(len(mono), _SOME))
        if len(mono) >= self._n_fft:
            spectrum = np.fft.rfft(mono[: self._n_fft] * self._window)
            self._spectra.append(spectrum.real**2 + spectrum.imag**2)

    @property
    def swing(self) -> float:
        """Half of the largest distance between maximum and minimum of a channel: the peak without DC."""
        return max(float((self._high - self._low).max()) / 2, 0.0) if self.n_frames else 0.0

    def cancels(self) -> bool:
        """Whether the channels cancel in the mix: it is 20 dB below their mean power."""
        return self.channels > 1 and self.mono_energy < 0.01 * float(self.energy.mean())

    def report(self) -> dict[str, Any]:
        """What was measured: the columns from `peak` on, and `examined_s`."""
        n = max(self.n_frames, 1)
        levels = _db(self.energy / n)
        spectra = np.array(self._spectra) / (self._window.sum() / 2) ** 2
        frame_powers = np.concatenate(self._frame_powers) if self._frame_powers else np.zeros(0)
        quiet = frame_powers < 1e-5 * self.mono_energy / n
        return {
            "examined_s": self.n_frames / self.sample_rate,
            "peak": float(max(self._high.max(), -self._low.min())),
            "rms_dbfs": float(_db(self.energy.mean() / n)),
            "dc_offset": float(np.abs(self._sum).max() / n),
            "clipped_fraction": self._clipped.count / n,
            "clipped_run": self._clipped.longest,
            "flat_fraction": self._n_flat / max(self._n_looked, 1),
            "zero_fraction": self._zero.count / n,
            "zero_run_s": self._zero.longest / self.sample_rate,
            "channel_difference_db": float(levels.max() - levels.min()) if self.channels > 1 else None,
            "correlation": self._correlation(),
            "noise_floor_dbfs": float(_db(np.percentile(frame_powers, 10))) if len(frame_powers) else None,
            "tail_s": float(np.argmin(quiet[::-1]) * _FRAME / self.sample_rate) if len(quiet) else None,
            "quiet_fraction": float(quiet.mean()) if len(quiet) else None,
            "distinct_fraction": float(np.median(self._distinct)) if self._distinct else None,
            **spectral_evidence(spectra, self._n_fft / self.sample_rate),
            **self._course.report(),
        }

    def _correlation(self) -> float | None:
        if self.channels != 2:
            return None
        mean = self._sum / self.n_frames
        variance = self.energy / self.n_frames - mean**2
        if variance.min() <= _SILENCE:
            return None
        return float(np.clip((self._cross / self.n_frames - mean.prod()) / np.sqrt(variance.prod()), -1, 1))


class _Runs:
    """Counts true samples and finds their longest run, over blocks that may join."""

    def __init__(self):
        self.count = self.longest = self._open = 0

    def add(self, mask: np.ndarray | None, joined: bool) -> None:
        """Take in a block; `None` is a block without any."""
        carried, self._open = self._open if joined else 0, 0
        if mask is None or not mask.any():
            return
        where = np.flatnonzero(mask)
        self.count += len(where)
        ends = np.flatnonzero(np.diff(where, append=len(mask) + 1) != 1)
        lengths = np.diff(ends, prepend=-1)
        if where[0] == 0:
            lengths[0] += carried
        self.longest = max(self.longest, int(lengths.max()))
        self._open = int(lengths[-1]) if where[-1] == len(mask) - 1 else 0


@cache
def _window(n_fft: int) -> np.ndarray:
    return np.hanning(n_fft).astype(np.float32)


def _clipped(planes: np.ndarray) -> np.ndarray:
    """Where any channel is at full scale; channel by channel, as numpy is slow along the short axis."""
    mask = np.zeros(planes.shape[1], bool)
    for plane in planes:
        mask |= plane >= _FULL_SCALE
        mask |= plane <= -_FULL_SCALE
    return mask


def _all_zero(planes: np.ndarray) -> np.ndarray:
    mask = np.ones(planes.shape[1], bool)
    for plane in planes:
        mask &= plane == 0
    return mask


def _db(power):
    return 10 * np.log10(np.maximum(power, _SILENCE))
