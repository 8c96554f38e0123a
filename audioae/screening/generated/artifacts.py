"""Decoder artifacts of a track: what decoding left in its native-rate waveform, over the whole track.

A decoder or vocoder writes a waveform from something coarser and guesses the rest: phases, the shape of attacks, what
lies between the harmonics. It works in steps, and a step may remain as a faint modulation of the level.

Conventions
-----------
- Artifacts are a vector of `ARTIFACT_NAMES`, float32, of the mean over channels at the file's own rate. The first two,
  `EXTENT`, only say whether there is enough audio; the features of `section_artifacts` follow.
- A feature is the mean over sections of 3 s that are not silent, spaced evenly over the track. It is NaN where there is
  nothing to measure: above the bandwidth, or in a track that is silent, shorter than a section, or below `MIN_RATE`.
- The stored dataset is called `residues`, and its column `residue`: the names of older versions, kept on disk so that
  old stores can be read.

Why the mean over channels: how generators treat stereo is not known, and a resynthesized copy must not be recognizable
by being mono.
"""

import math
from functools import partial
from pathlib import Path

import numpy as np
import soxr

from audioae.audio.blame import blame_file
from audioae.audio.integrity import Container
from audioae.audio.reader import Reader
from audioae.audio.readers import read_file
from audioae.errors import AudioError
from audioae.screening.generated.section_artifacts import FEATURE_NAMES, section_artifacts

SECTION_S = 3.0
MIN_RATE = 30_000  # Hz; a lower rate lacks half of the bands
EXTENT = ("seconds", "bandwidth_hz")
ARTIFACT_NAMES = (*EXTENT, *FEATURE_NAMES)

_SILENT = 1e-3  # -60 dBFS
_BEFORE_S = 0.15  # mp3 frames depend on earlier ones: up to 56 ms after a seek are wrong


@blame_file
def track_artifacts(path: str | Path, max_sections: int) -> np.ndarray:
    """Decoder artifacts of an audio file. Runs in worker processes.

    Parameters
    ----------
    path : str or Path
    max_sections : int
        Number of sections of 3 s to measure; fewer if the track is shorter.

    Returns
    -------
    artifacts : np.ndarray, shape (len(ARTIFACT_NAMES),), float32

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    sections, sample_rate = read_sections(path, SECTION_S, max_sections)
    return waveform_artifacts(sections, sample_rate)


def waveform_artifacts(sections: list[np.ndarray], sample_rate: int) -> np.ndarray:
    """Decoder artifacts of waveforms of about 3 s each, shape (len(ARTIFACT_NAMES),); features may be NaN."""
    while sample_rate > 2 * MIN_RATE:
        sections = [soxr.resample(section, 2, 1, quality="HQ") for section in sections]
        sample_rate //= 2
    loud = [section for section in sections if math.sqrt(np.mean(np.square(section))) > _SILENT]
    extent = [sum(map(len, loud)) / sample_rate, sample_rate / 2]
    if not loud or sample_rate < MIN_RATE:
        return np.array([*extent, *[math.nan] * len(FEATURE_NAMES)], np.float32)
    rows = np.stack([section_artifacts(section, sample_rate) for section in loud])
    known = ~np.isnan(rows)
    sums = np.where(known, rows, 0).sum(axis=0)
    means = np.divide(sums, known.sum(axis=0), out=np.full(len(sums), np.nan), where=known.any(axis=0))
    return np.r_[extent[0], means].astype(np.float32)


def read_sections(path: str | Path, seconds: float, max_sections: int) -> tuple[list[np.ndarray], int]:
    """Up to `max_sections` sections of `seconds`, spaced evenly over a file: mono waveforms and their sample rate.

    A shorter file gives no section. Raises `AudioError` if the file cannot be read.
    """
    return read_file(path, partial(_sections, seconds=seconds, max_sections=max_sections))


def _sections(reader: Reader, _: Container, seconds: float, max_sections: int) -> tuple[list[np.ndarray], int]:
    n = round(seconds * reader.sample_rate)
    count = min(reader.n_frames // n, max_sections)
    starts = [max(round((i + 0.5) * reader.n_frames / count - n / 2), 0) for i in range(count)]
    waveforms = _read(reader, starts, n) if starts else []
    return [waveform for waveform in waveforms if len(waveform) == n], reader.sample_rate


def _read(reader: Reader, starts: list[int], n: int) -> list[np.ndarray]:
    """Mono waveforms of n samples from each start, shorter if the file ends early."""
    before = round(_BEFORE_S * reader.sample_rate)
    can_seek = reader.can_seek()
    parts: list[list[np.ndarray]] = [[] for _ in starts]
    for first, last in [(max(s - before, 0), s + n) for s in starts] if can_seek else [(0, starts[-1] + n)]:
        position = first
        for block in reader.blocks(first, last):
            if not np.isfinite(block).all():
                raise AudioError("non_finite", f"NaN or infinite samples from {position / reader.sample_rate:.1f} s on")
            for start, part in zip(starts, parts, strict=True):
                low, high = max(start - position, 0), min(start + n - position, block.shape[1])
                if low < high and (not can_seek or last == start + n):
                    part.append(block[:, low:high].mean(axis=0))
            position += block.shape[1]
    return [np.concatenate(part) if part else np.empty(0, np.float32) for part in parts]
