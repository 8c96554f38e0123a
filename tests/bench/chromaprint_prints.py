"""Fingerprints by Chromaprint and their similarity as pyacoustid defines it: the peer of `audio.fingerprint`.

Conventions
-----------
- A print is an array of 32-bit hashes, one per 0.12 s, of the first two minutes (the default of `fpcalc`).
- Similarity is the share of hashes that agree in all but two bits at the best alignment (+-15 s): that of
  `acoustid.compare_fingerprints`, by arrays instead of loops. Two prints are the same recording from `SAME` on.
- It needs pyacoustid and Debian's libchromaprint1.

Why not `fpcalc`: version 1.5.1 ends with status 3 on every whole file ("Error decoding audio frame (End of file)"), and
pyacoustid then returns no print.

Source: Lukas Lalinsky, Chromaprint; https://github.com/beetbox/pyacoustid.
"""

from pathlib import Path

import numpy as np
import soxr

from audioae.audio.perturbations import read_whole
from tests.bench.harness import installed

SAME = 0.5
_SECONDS = 120.0
_RATE = 11_025  # to which Chromaprint resamples
_BITS, _OFFSET = 2, 120


def available() -> bool:
    """Whether pyacoustid and libchromaprint are installed."""
    if not installed("acoustid"):
        return False
    import acoustid

    return bool(acoustid.have_chromaprint)


def print_file(path: str | Path) -> np.ndarray:
    """The print of an audio file."""
    planes, rate = read_whole(path)
    return print_waveform(planes[:, : round(_SECONDS * rate)].mean(axis=0), rate)


def print_waveform(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """The print of a mono waveform in [-1, 1], by the library."""
    import chromaprint

    fingerprinter = chromaprint.Fingerprinter()
    fingerprinter.start(_RATE, 1)
    resampled = soxr.resample(waveform, sample_rate, _RATE, quality="MQ")
    fingerprinter.feed((resampled * 32_767).astype("<i2").tobytes())
    return np.array(chromaprint.decode_fingerprint(fingerprinter.finish())[0], np.uint32)


def print_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The share of hashes of the shorter print that agree, at the best alignment."""
    a, b = np.nonzero(np.bitwise_count(one[:, None] ^ other) <= _BITS)
    offset = a - b
    offset = offset[(offset <= _OFFSET) & (offset > -_OFFSET)]
    return float(np.bincount(offset + len(other)).max(initial=0) / max(min(len(one), len(other)), 1))
