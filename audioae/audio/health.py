"""Evidence of faults in a track, measured at the file's sample rate on the samples that are decoded for its clips.

This is evidence, not a verdict: screening decides later what is an issue, comparing all tracks.

Conventions
-----------
- Levels are dBFS: 0 is full scale (1.0), silence is -120. Of a short track everything is examined, of a long one the
  clips.
- A value is `None` where it has no meaning (correlation of a mono track) or is unknown.

`HEALTH_COLUMNS`: name -> type, in this order:

- container, codec: recognized by content, not by extension
- sample_rate [Hz], channels, bit_rate [bit/s, of the whole file]
- claimed_s, duration_s, examined_s [s]: according to the header; according to the decoder; examined here
- mono_from: "mean" of the channels, or "channel <i>" where the channels cancel each other in the mean
- resyncs: places where the decoder had to skip damage; missing_s [s]: audio that is lost to damage
- peak [1 = full scale]; rms_dbfs, both over all channels; dc_offset [1 = full scale]: the largest mean of a channel
- clipped_fraction: share of samples at full scale (0.999 and above); clipped_run [samples]: their longest run
- flat_fraction: share of samples within 2 % of the peak of their 1.5 s: 1e-4 to 1e-3 in music, above 1e-2 if the music
  was clipped at any level and then attenuated or encoded
- zero_fraction, zero_run_s [s]: samples that are exactly 0 in every channel, and their longest run
- channel_difference_db [dB]: between the loudest and the quietest channel; correlation: of two channels, -1 to 1
- noise_floor_dbfs: 10 % of the frames (1,024 samples) are below this level
- distinct_fraction: share of distinct values among 2,048 successive samples of the first channel, in the median of the
  looks: 1 in 16-bit music, below 0.1 where most bits are missing
- quiet_fraction: share of the frames (1,024 samples) that are 50 dB below the mean power; tail_s [s]: those at the end
- cutoff_hz, bandwidth_hz, edge_db, hum_db, flatness_db, flicker_db: see `audio/spectrum.py`
- fall_db, burst_db, click_db, repeat, hum_line_db: see `audio/transients.py`
- tuning_cents, tuning_strength, partials, octave_125_db to octave_16000_db: see `audio/tuning.py`
- spike_db, spikes_db: see `audio/clicks.py`; loop, loop_match: see `audio/repeats.py`; plateau_db, gap_db: see
  `audio/plateaus.py`; tops_db: see `audio/tops.py`

Why sums, dot products and extremes of blocks that fit the cache: all of this must cost little beside decoding. Costly
tests (runs, clipping, clicks, repeats) run only where a cheap one found something.
"""

from functools import cache
from typing import Any

import numpy as np

from audioae.audio.spectrum import spectral_evidence
from audioae.audio.splices import SpliceMeter
from audioae.audio.tops import TopMeter
from audioae.audio.transients import TransientMeter
from audioae.audio.tuning import COLUMNS as TUNING_COLUMNS
from audioae.audio.tuning import tuning_evidence

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
    "resyncs": int,
    "missing_s": float,
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
    **dict.fromkeys(TUNING_COLUMNS, float),
    "spike_db": float,
    "spikes_db": float,
    "loop": float,
    "loop_match": float,
    "plateau_db": float,
    "gap_db": float,
    "tops_db": float,
}

_SILENCE = 1e-12  # power of -120 dBFS
_FULL_SCALE = 0.999
_AUDIBLE = 0.01
_ZEROS = 32  # a block with fewer zeros is not searched for runs
_FRAME = 1024
_DISTINCT_SAMPLES = 2048
_ONES = np.ones(65_536, np.float32)  # a dot product with ones is the fastest sum
_RESOLUTION_HZ = 5.4
_LOOK_S = 2.5  # from one close examination, of a block of up to 1.5 s, to the next


class HealthMeter:
    """Accumulates evidence block by block, in the order of the track; gaps between blocks are allowed.

    Parameters
    ----------
    sample_rate : int
        Hz.
    channels : int
    """

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
        self._transients, self._splices = TransientMeter(sample_rate), SpliceMeter(sample_rate)
        self._distinct: list[float] = []
        self._tops = TopMeter(sample_rate, channels)
        self._spectra: list[np.ndarray] = []
        self._next, self._next_look = -1, 0

    def add(self, planes: np.ndarray, mono: np.ndarray, position: int) -> None:
        """Measure a block.

        Parameters
        ----------
        planes : np.ndarray, shape (channels, n), float32, finite
        mono : np.ndarray, shape (n,), float32
            The mix of the channels; it must not change until `columns` is called.
        position : int
            The frame at which the block begins.
        """
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
        self._transients.add(mono, joined)
        self._splices.add(mono, joined)
        if position >= self._next_look:
            self._next_look = position + int(_LOOK_S * self.sample_rate)
            self._look(planes, mono, peak)

    def _look(self, planes: np.ndarray, mono: np.ndarray, peak: float) -> None:
        """Measure what is too costly for every block."""
        self._tops.add(planes)
        if peak > _AUDIBLE:
            self._n_looked += planes.size
            self._n_flat += int(np.count_nonzero(planes > 0.98 * peak) + np.count_nonzero(planes < -0.98 * peak))
            n_levels = len(np.unique(planes[0, :_DISTINCT_SAMPLES]))
            if n_levels > 1:
                self._distinct.append(n_levels / min(len(mono), _DISTINCT_SAMPLES))
        if len(mono) >= self._n_fft:
            spectrum = np.fft.rfft(mono[: self._n_fft] * self._window)
            self._spectra.append(spectrum.real**2 + spectrum.imag**2)

    @property
    def swing(self) -> float:
        """The peak without DC: half the distance between maximum and minimum, of the channel where it is largest."""
        return max(float((self._high - self._low).max()) / 2, 0.0) if self.n_frames else 0.0

    def cancels(self) -> bool:
        """Whether the channels cancel each other: the mix is 20 dB below their mean power."""
        return self.channels > 1 and self.mono_energy < 0.01 * float(self.energy.mean())

    def columns(self) -> dict[str, Any]:
        """The columns from `peak` on, and `examined_s`."""
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
            **tuning_evidence(spectra, self._n_fft / self.sample_rate),
            **self._transients.columns(),
            **self._splices.columns(),
            **self._tops.columns(),
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
    """Counts true samples and finds their longest run; a run may continue in the next block."""

    def __init__(self):
        self.count = self.longest = self._open = 0

    def add(self, mask: np.ndarray | None, joined: bool) -> None:
        """Count in a block; `None` is a block without true samples. `joined` if it follows the last block directly."""
        carried, self._open = self._open if joined else 0, 0
        if mask is None or not mask.any():
            return
        positions = np.flatnonzero(mask)
        self.count += len(positions)
        ends = np.flatnonzero(np.diff(positions, append=len(mask) + 1) != 1)
        lengths = np.diff(ends, prepend=-1)
        if positions[0] == 0:
            lengths[0] += carried
        self.longest = max(self.longest, int(lengths.max()))
        self._open = int(lengths[-1]) if positions[-1] == len(mask) - 1 else 0


@cache
def _window(n_fft: int) -> np.ndarray:
    return np.hanning(n_fft).astype(np.float32)


def _clipped(planes: np.ndarray) -> np.ndarray:
    """Mask of samples at full scale in any channel; computed per channel, as numpy is slow along the short axis."""
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
