"""Faults that are added to recordings on purpose, to train on: the catalog's own clean tracks, each with one fault.

Conventions
-----------
- A fault is a `Perturbation` of group "fault", from planes to planes: (channels, n) float32 at the file's own rate.
- The strength and the position of a fault are random, seeded by the recording and the name of the fault, so the same
  file always gets the same faults.
- A result above full scale is scaled down, so that only the fault clipping clips.
- Each version is stored as a float wav (half of them), mp3 at 192 kb/s or Ogg Vorbis, chosen at random, and so is the
  unharmed version, `INTACT`. Otherwise a classifier could learn the storage instead of the fault.
- Only the middle 30 s of a longer recording are used.

Why mild and severe faults: anyone finds a fault that fills a track. The ranges begin where a listener who looks for the
fault just hears it.
"""

import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import soxr
from scipy.signal import butter, sosfilt

from audioae.audio.blame import blame_file
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.extract import Extracted, extract
from audioae.audio.perturbations import Perturbation, Planes, read_whole, write_version
from audioae.errors import AudioError

INTACT = "intact"
_USED_S = 30.0
_STORED = (("wav", 0), ("wav", 0), ("mp3", 192_000), ("vorbis", 0))
_SPEEDS = (0.5, 2.0, 44_100 / 48_000, 48_000 / 44_100, 32_000 / 44_100, 44_100 / 32_000)

Change = Callable[[Planes, int, np.random.Generator], Planes]


@blame_file
def extract_faulty(
    path: str | Path, folder: str | Path, clip_config: ClipConfig, decode_config: DecodeConfig, names: Sequence[str]
) -> dict[str, Extracted | AudioError]:
    """Extract versions of a file, each with one fault. Runs in worker processes.

    Parameters
    ----------
    path : str or Path
        An audio file.
    folder : str or Path
        Folder for temporary files, one version at a time.
    clip_config, decode_config : ClipConfig, DecodeConfig
        As for `extract`.
    names : sequence of str
        Names of `FAULTS`, or `INTACT`.

    Returns
    -------
    versions : dict of str to Extracted or AudioError
        An error if the decoder rejects the version: such a fault needs no check.

    Raises
    ------
    AudioError
        If the file itself cannot be used.
    """
    planes, rate = read_whole(path)
    spare = max(planes.shape[1] - round(_USED_S * rate), 0)
    planes = planes[:, spare // 2 : planes.shape[1] - (spare - spare // 2)]
    versions: dict[str, Extracted | AudioError] = {}
    with tempfile.TemporaryDirectory(dir=folder) as versions_folder:
        for name in names:
            codec, bit_rate = _STORED[int(_rng(planes, f"{name} stored").integers(len(_STORED)))]
            fault = replace(FAULTS[name], codec=codec, bit_rate=bit_rate)
            try:
                version = write_version(planes, rate, fault, Path(versions_folder))
                versions[name] = extract(version, clip_config, decode_config)
            except AudioError as error:
                versions[name] = error
    return versions


def _rng(planes: Planes, name: str) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(planes[0].tobytes()), zlib.crc32(name.encode())])


def _apply(planes: Planes, rate: int, change: Change, name: str) -> tuple[Planes, int]:
    changed = np.asarray(change(planes, rate, _rng(planes, name)), np.float32)
    return changed / np.float32(max(1.0, float(np.abs(changed).max(initial=0)))), rate


def _level(planes: Planes) -> float:
    return float(np.sqrt(np.mean(np.square(planes, dtype=np.float64)))) + 1e-9


def _stretches(n: int, rate: int, rng: np.random.Generator, how_many: tuple[int, int], seconds: tuple[float, float]):
    """First and last sample of random stretches: their number, positions and lengths are drawn."""
    for _ in range(rng.integers(how_many[0], how_many[1] + 1)):
        length = min(int(rng.uniform(*seconds) * rate), n // 2)
        first = int(rng.integers(0, max(n - length, 1)))
        yield first, first + length


def _intact(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    return planes


def _clipping(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    limit = max(float(np.quantile(np.abs(planes), rng.uniform(0.97, 0.998))), 1e-6)
    return np.clip(planes / limit, -1, 1) * rng.uniform(0.5, 1.0)


def _dropouts(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    changed = planes.copy()
    for first, last in _stretches(planes.shape[1], rate, rng, (3, 12), (0.02, 0.2)):
        changed[:, first:last] = 0
    return changed


def _silence(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    changed = planes.copy()
    for first, last in _stretches(planes.shape[1], rate, rng, (1, 3), (0.4, 2.0)):
        changed[:, first:last] = 1e-5 * rng.standard_normal(last - first)
    return changed


def _cut_short(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    changed = planes.copy()
    changed[:, int(planes.shape[1] * rng.uniform(0.4, 0.8)) :] = 0
    return changed


def _clicks(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    changed, peak = planes.copy(), float(np.abs(planes).max())
    for first, last in _stretches(planes.shape[1], rate, rng, (5, 30), (2e-5, 3e-4)):
        changed[:, first : last + 1] += peak * rng.uniform(0.4, 1.0) * rng.choice([-1, 1])
    return changed


def _bursts(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    changed, level = planes.copy(), _level(planes)
    for first, last in _stretches(planes.shape[1], rate, rng, (3, 10), (0.01, 0.1)):
        changed[:, first:last] += level * rng.uniform(1, 3) * rng.standard_normal(last - first)
    return changed


def _noise(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    return planes + _level(planes) * 10 ** (-rng.uniform(7, 13) / 20) * rng.standard_normal(planes.shape[1])


def _hum(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    phase = 2 * np.pi * rng.choice([50, 60]) * np.arange(planes.shape[1]) / rate
    harmonics = zip((1, 2, 3, 4, 6), (1.0, 0.5, 0.6, 0.3, 0.2), strict=True)
    hum = sum(share * np.sin(k * phase + rng.uniform(0, 6)) for k, share in harmonics)
    return planes + _level(planes) * 10 ** (-rng.uniform(8, 20) / 20) * hum


def _muffled(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    edge = min(rng.uniform(1500, 5000), 0.45 * rate)
    return np.asarray(sosfilt(butter(int(rng.integers(4, 9)), edge, fs=rate, output="sos"), planes))


def _wrong_speed(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    return soxr.resample(planes.T, rate, rate * rng.choice(_SPEEDS), quality="HQ").T


def _offset(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    return planes + rng.uniform(0.02, 0.2) * rng.choice([-1, 1])


def _dead_channel(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    planes = np.repeat(planes, 2, axis=0) if len(planes) == 1 else planes.copy()
    planes[int(rng.integers(len(planes)))] *= 10 ** (-rng.uniform(45, 100) / 20)
    return planes


def _opposed(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    return np.stack([planes[0], -planes[0]])


def _stutter(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    changed = planes.copy()
    for first, last in _stretches(planes.shape[1], rate, rng, (2, 8), (0.2, 0.8)):
        period = int(rng.uniform(0.015, 0.075) * rate)
        changed[:, first:last] = planes[:, first + np.arange(last - first) % period]
    return changed


def _coarse(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    step = float(np.abs(planes).max()) / 2 ** int(rng.integers(3, 7))
    return np.round(planes / step) * step


def _transcoded(planes: Planes, rate: int, rng: np.random.Generator) -> Planes:
    kept = planes[:2]
    low = Perturbation("low", "codec", "", codec="mp3", bit_rate=int(rng.choice([32_000, 48_000, 64_000])))
    with tempfile.TemporaryDirectory() as folder:
        poor, poor_rate = read_whole(write_version(kept, rate, low, Path(folder)))
    return soxr.resample(poor.T, poor_rate, rate, quality="HQ").T if poor_rate != rate else poor


_ALL: tuple[tuple[str, str, Change], ...] = (
    (INTACT, "no fault", _intact),
    ("clipping", "0.2 to 3 % of the samples are clipped at one level", _clipping),
    ("dropouts", "3 to 12 gaps of 20 to 200 ms", _dropouts),
    ("silence", "1 to 3 stretches of 0.4 to 2 s contain only faint noise (-100 dBFS)", _silence),
    ("cut short", "the last 20 to 60 % are zero", _cut_short),
    ("clicks", "5 to 30 clicks of up to 0.3 ms", _clicks),
    ("bursts", "3 to 10 bursts of noise of 10 to 100 ms, 0 to 10 dB above the recording", _bursts),
    ("noise", "white noise 7 to 13 dB below the recording", _noise),
    ("hum", "50 or 60 Hz and harmonics, 8 to 20 dB below the recording", _hum),
    ("muffled", "low-pass filtered at 1.5 to 5 kHz", _muffled),
    ("wrong speed", "played at the wrong sample rate, 0.5 to 2 times as fast", _wrong_speed),
    ("offset", "a DC offset of 2 to 20 % of full scale", _offset),
    ("dead channel", "one channel 45 to 100 dB below the other", _dead_channel),
    ("opposed channels", "one channel is the negative of the other", _opposed),
    ("stutter", "2 to 8 stretches of 0.2 to 0.8 s repeat 15 to 75 ms", _stutter),
    ("coarse", "quantized to 4 to 7 bits", _coarse),
    ("transcoded", "encoded as mp3 at 32 to 64 kb/s, then at a higher rate", _transcoded),
)
FAULTS: dict[str, Perturbation] = {
    name: Perturbation(name, "fault", what, partial(_apply, change=change, name=name)) for name, what, change in _ALL
}
