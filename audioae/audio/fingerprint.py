"""Near duplicates: recognize the same recording in several files, whatever their encoding, and keep songs apart.

Conventions
-----------
- Exact duplicates have the same bytes; the catalog marks them by hash. A near duplicate differs in codec, bit rate,
  sample rate, level or tags, or by a few hundredths of a second at its start or end.
- Two tracks are compared if the cosine of their embeddings is `MIN_COSINE` or more and their durations differ by
  `MAX_SECONDS` at most. They are the same recording if their patterns correlate by `SAME` or more (short tracks:
  `SAME_SHORT`).
- The pattern of a clip is the change, from frame to frame, of the level difference between neighboring bands (of 16).
  It does not change with level or smooth equalization, and two performances of one song have different patterns.

Why embeddings and durations alone do not suffice: on the demo catalog different songs reach a cosine of .97, and in a
catalog of 30-s previews all durations are equal. On the demo, patterns of different songs correlate by .3 at most,
those of re-encoded copies by .65 or more, down to mp3 at 64 kb/s (`python -m tests.bench duplicates`). Short tracks are
the exception: two synthetic voices saying the same words reach .8.

Limits: copies cut by more than `MAX_SECONDS`, copies at another speed, and copies with a distant embedding (such as one
at 16 kHz under a model with little training) are not found. Mixes of one recording are not told apart: with another
sound mixed in at -6 dB, 3 of 9 tracks are still taken for the original; at -12 dB, 6 of 9.

Source: Haitsma and Kalker 2002, "A highly robust audio fingerprinting system", which keeps the signs of this pattern.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audioae.audio.blame import blame_file
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.constants import FRAME_S
from audioae.spacing import evenly_spaced

MIN_COSINE = 0.6
MAX_SECONDS = 0.25
SAME = 0.6
SAME_SHORT = 0.85  # fewer than `FEW_CLIPS` clips are little evidence that two renditions differ
FEW_CLIPS = 3
N_CLIPS = 4  # evenly spaced, with the first and the last: without the last, mp3 at 64 kb/s falls to `SAME`
N_BANDS = 16
MAX_LAG = round(MAX_SECONDS / FRAME_S)


class Fingerprint(NamedTuple):
    """A track's fingerprint: levels (n_clips, 16, n_frames) uint8, and starts of the clips (n_clips,) in seconds."""

    levels: np.ndarray
    starts_s: np.ndarray


def fingerprint_clips(codes: np.ndarray, starts_s: np.ndarray) -> Fingerprint:
    """Compute a track's fingerprint: mean levels of 16 bands, in a few evenly spaced clips.

    Parameters
    ----------
    codes : np.ndarray, shape (n_clips, 128, n_frames), uint8
        The track's stored mels, in order.
    starts_s : np.ndarray, shape (n_clips,)
        Starts of the clips in seconds.
    """
    n, n_mels, n_frames = codes.shape
    chosen = evenly_spaced(n, N_CLIPS, ends=True)
    levels = codes[chosen].reshape(len(chosen), N_BANDS, n_mels // N_BANDS, n_frames).mean(axis=2, dtype=np.float32)
    return Fingerprint(np.round(levels).astype(np.uint8), np.asarray(starts_s, np.float64)[chosen])


@blame_file
def fingerprint_file(path: str | Path, clip_config: ClipConfig, decode_config: DecodeConfig) -> Fingerprint:
    """The fingerprint of an audio file: a plain function for the processes of `audio.workers`.

    Raises
    ------
    AudioError
        As `extract.extract`.
    """
    from audioae.audio.extract import extract  # it loads the decoders

    extracted = extract(path, clip_config, decode_config)
    return fingerprint_clips(extracted.codes, extracted.starts_s)


def similarity(one: Fingerprint, other: Fingerprint) -> float:
    """Correlate the patterns of two tracks: 1 for the same recording, about 0 for different ones.

    It is the median over the clips of the highest correlation within +-0.25 s of the expected alignment.

    >>> rng = np.random.default_rng(0)
    >>> one, other = (fingerprint_clips(rng.integers(0, 255, (3, 128, 130)), np.arange(3)) for _ in range(2))
    >>> similarity(one, one) > 0.999, similarity(one, other) < 0.2
    (True, True)
    """
    pairs = zip(_patterns(one.levels), one.starts_s, _patterns(other.levels), other.starts_s, strict=False)
    return float(np.median([_best_correlation(a, b, (start - at) / FRAME_S) for a, start, b, at in pairs]))


def is_same(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether two tracks are the same recording."""
    short = min(len(one.levels), len(other.levels)) < FEW_CLIPS
    return similarity(one, other) >= (SAME_SHORT if short else SAME)


def candidate_pairs(
    scores: np.ndarray, rows: np.ndarray, durations_s: np.ndarray, own: np.ndarray | None = None
) -> np.ndarray:
    """Find the pairs to compare: close embeddings, similar durations.

    Parameters
    ----------
    scores, rows : np.ndarray, shape (n, k)
        Cosines and rows of each track's nearest tracks; row -1 means no neighbor.
    durations_s : np.ndarray, shape (n_tracks,)
        NaN where unknown: such a track is never a near duplicate.
    own : np.ndarray, shape (n,), int64, optional
        Rows of the tracks themselves; default: all tracks in order.

    Returns
    -------
    pairs : np.ndarray, shape (m, 2), int64
        Rows, the smaller first, ascending, each pair once.
    """
    first = np.repeat(np.arange(len(rows)) if own is None else own, rows.shape[1])
    second, score = rows.ravel(), scores.ravel()
    with np.errstate(invalid="ignore"):
        near = (second >= 0) & (second != first) & (score >= MIN_COSINE)
        near &= np.abs(durations_s[first] - durations_s[second]) <= MAX_SECONDS
    pairs = np.sort(np.stack([first[near], second[near]], axis=1), axis=1)
    return np.unique(pairs, axis=0)


def connected_groups(n: int, pairs: Sequence[tuple[int, int]] | np.ndarray) -> np.ndarray:
    """Group rows that are linked, directly or through others.

    Returns
    -------
    groups : np.ndarray, shape (n,), int64
        The first row of each row's group.

    >>> connected_groups(5, [(1, 3), (3, 4)])
    array([0, 1, 2, 1, 1])
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = np.asarray(pairs, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    return np.unique(labels, return_index=True)[1][labels].astype(np.int64)


def _patterns(levels: np.ndarray) -> np.ndarray:
    """Patterns (n, 15, n_frames - 1) of levels (n, 16, n_frames)."""
    return np.diff(np.diff(levels.astype(np.float32), axis=1), axis=2)


def _best_correlation(one: np.ndarray, other: np.ndarray, lag: float) -> float:
    """Highest correlation of `one` with `other` shifted by `lag` frames or nearly so; 0 if either is flat."""
    n = one.shape[1]
    best = 0.0
    for shift in range(round(lag) - MAX_LAG, round(lag) + MAX_LAG + 1):
        if abs(shift) > n // 2:  # too little overlap
            continue
        a = one[:, max(-shift, 0) : n - max(shift, 0)].ravel()
        b = other[:, max(shift, 0) : n - max(-shift, 0)].ravel()
        norm = float(np.sqrt((a @ a) * (b @ b)))
        best = max(best, float(a @ b) / norm if norm else 0.0)
    return best
