"""A track's residue: what its making left in the native-rate waveform, over the whole track.

A decoder or vocoder writes a waveform from something coarser, and guesses the rest: phases, the shape of attacks, what
is between the harmonics. It works in steps, and a step may remain as a faint beat of the level.

Conventions
-----------
- A residue is a vector of `ARTIFACT_NAMES`, float32, of the mean over channels at the file's own rate. `seconds` and
  `bandwidth_hz` come first and are no evidence: they say whether there is enough audio to judge. The rest comes from
  `section_artifacts`.
- It is the mean over sections of 3 s that are not silent, evenly spread over the whole track. NaN: there is nothing to
  measure, as above the bandwidth, or in a track that is silent, shorter than a section, or below `MIN_RATE`.

Why the mean over channels: what a generator does to stereo is not known, and that copies are mono must not give them
away.
"""

import math
from pathlib import Path

import numpy as np
import soxr

from audioae.audio.integrity import inspect
from audioae.audio.readers import Reader, open_reader
from audioae.errors import AudioError
from audioae.screening.generated.section_artifacts import EVIDENCE_NAMES, section_artifacts

SECTION_S = 3.0
MIN_RATE = 30_000  # Hz; below it half of the bands would be missing
ABOUT = ("seconds", "bandwidth_hz")
ARTIFACT_NAMES = (*ABOUT, *EVIDENCE_NAMES)

_SILENT = 1e-3  # -60 dBFS
_BEFORE_S = 0.15  # what mp3 carries from frame to frame is wrong for up to 56 ms after a seek


def track_artifacts(path: str | Path, max_sections: int) -> np.ndarray:
    """Residue of an audio file: a function for workers.

    Parameters
    ----------
    path : str or Path
    max_sections : int
        How many sections of 3 s are measured at most.

    Returns
    -------
    residue : np.ndarray, shape (len(RESIDUE_NAMES),), float32

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    sections, sample_rate = read_sections(path, SECTION_S, max_sections)
    return waveform_artifacts(sections, sample_rate)


def waveform_artifacts(sections: list[np.ndarray], sample_rate: int) -> np.ndarray:
    """Residue of waveforms of about 3 s each, shape (len(RESIDUE_NAMES),); NaN where none can be measured."""
    while sample_rate > 2 * MIN_RATE:
        sections = [soxr.resample(section, 2, 1, quality="HQ") for section in sections]
        sample_rate //= 2
    loud = [section for section in sections if math.sqrt(np.mean(np.square(section))) > _SILENT]
    head = [sum(map(len, loud)) / sample_rate, sample_rate / 2]
    if not loud or sample_rate < MIN_RATE:
        return np.array([*head, *[math.nan] * len(EVIDENCE_NAMES)], np.float32)
    rows = np.stack([section_artifacts(section, sample_rate) for section in loud])
    there = ~np.isnan(rows)
    sums = np.where(there, rows, 0).sum(axis=0)
    means = np.divide(sums, there.sum(axis=0), out=np.full(len(sums), np.nan), where=there.any(axis=0))
    return np.r_[head[0], means].astype(np.float32)


def read_sections(path: str | Path, seconds: float, most: int) -> tuple[list[np.ndarray], int]:
    """Up to `most` stretches of `seconds`, evenly spread over a file: mono waveforms and their rate.

    None of a shorter file. Raises `AudioError` if it cannot be read.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AudioError("unreadable", f"{error.strerror}; wanted an audio file that may be read") from None
    reader = open_reader(path, inspect(content))
    try:
        n = round(seconds * reader.sample_rate)
        count = min(reader.n_frames // n, most)
        starts = [max(round((i + 0.5) * reader.n_frames / count - n / 2), 0) for i in range(count)]
        waveforms = _read(reader, starts, n) if starts else []
        return [waveform for waveform in waveforms if len(waveform) == n], reader.sample_rate
    finally:
        reader.close()


def _read(reader: Reader, starts: list[int], n: int) -> list[np.ndarray]:
    """Mono waveforms of n samples from each start; shorter ones where the file ends early."""
    before = round(_BEFORE_S * reader.sample_rate)
    jumps = reader.can_seek()
    parts: list[list[np.ndarray]] = [[] for _ in starts]
    for first, last in [(max(s - before, 0), s + n) for s in starts] if jumps else [(0, starts[-1] + n)]:
        position = first
        for block in reader.blocks(first, last):
            if not np.isfinite(block).all():
                raise AudioError("non_finite", f"NaN or infinite samples from {position / reader.sample_rate:.1f} s on")
            for start, part in zip(starts, parts, strict=True):
                low, high = max(start - position, 0), min(start + n - position, block.shape[1])
                if low < high and (not jumps or last == start + n):
                    part.append(block[:, low:high].mean(axis=0))
            position += block.shape[1]
    return [np.concatenate(part) if part else np.empty(0, np.float32) for part in parts]
