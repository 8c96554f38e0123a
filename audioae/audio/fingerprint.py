"""Duplicates: the same recording in several files, whatever they were encoded with. Different songs are never merged.

Conventions
-----------
- Exact duplicates have the same bytes: the catalog marks them, by their hash. Here it is about near ones: another
  codec, bit rate, sample rate, level or tag, a few hundredths of a second more or less at an end.
- Two tracks are compared if their embeddings are as close as `MIN_COSINE` and their durations differ by `MAX_SECONDS`
  at most; they are the same recording if their patterns correlate by `SAME` or more, short ones by `SAME_SHORT`.
- Pattern of a clip: how much the level of each of 16 bands rises against its neighbor band from frame to frame. It does
  not change with level or smooth equalization, and two performances of one song do not share it.

Why embeddings and durations do not decide alone: on the demo catalog different songs reach a cosine of .97, and in a
catalog of 30-s previews all last equally long. Patterns of different songs there correlate by .3 at most, those of
re-encoded ones by .65 or more, down to mp3 at 64 kb/s: `python -m tests.bench duplicates`. Short tracks are the
exception: two synthetic voices saying the same words reach .8.

What is not found: copies cut by more than `MAX_SECONDS`, at another speed, and those whose embedding has moved away,
as that of a copy at 16 kHz may where the model was hardly trained. What cannot be told apart: mixes of one recording.
With something else mixed in 6 dB below, 3 of 9 tracks still pass for themselves; 12 dB below, 6 of 9.

Source: the pattern is the one whose signs Haitsma and Kalker 2002, "A highly robust audio fingerprinting system", keep.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from audioae.constants import FRAME_S
from audioae.spacing import evenly_spaced

MIN_COSINE = 0.8
MAX_SECONDS = 0.25
SAME = 0.6
SAME_SHORT = 0.85  # below `FEW_CLIPS` there is little to tell two renditions of the same second apart
FEW_CLIPS = 3
N_CLIPS = 4  # of a track, evenly taken
N_BANDS = 16
MAX_LAG = round(MAX_SECONDS / FRAME_S)


class Fingerprint(NamedTuple):
    """What is kept of a track to compare: levels (n_clips, 16, n_frames) uint8, starts of the clips (n_clips,) in s."""

    levels: np.ndarray
    starts_s: np.ndarray


def fingerprint_clips(codes: np.ndarray, starts_s: np.ndarray) -> Fingerprint:
    """Take evenly chosen clips of a track, and the mean level of each eight mel bands.

    Parameters
    ----------
    codes : np.ndarray, shape (n_clips, 128, n_frames), uint8
        The track's stored mels, in order.
    starts_s : np.ndarray, shape (n_clips,)
        Starts of the clips in seconds.
    """
    n, n_mels, n_frames = codes.shape
    chosen = evenly_spaced(n, N_CLIPS)
    levels = codes[chosen].reshape(len(chosen), N_BANDS, n_mels // N_BANDS, n_frames).mean(axis=2, dtype=np.float32)
    return Fingerprint(np.round(levels).astype(np.uint8), np.asarray(starts_s, np.float64)[chosen])


def similarity(one: Fingerprint, other: Fingerprint) -> float:
    """How well the patterns of two tracks fit: 1 the same recording, about 0 different ones.

    The median over their clips of the best correlation within +-0.25 s of where the clips should fit.

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


def candidate_pairs(scores: np.ndarray, rows: np.ndarray, durations_s: np.ndarray) -> np.ndarray:
    """Pairs that are near enough, and alike enough in duration, to be compared.

    Parameters
    ----------
    scores, rows : np.ndarray, shape (n, k)
        Cosines and rows of each track's nearest tracks; row -1 is none.
    durations_s : np.ndarray, shape (n,)
        NaN where it is not known: such a track is never a near duplicate.

    Returns
    -------
    pairs : np.ndarray, shape (m, 2), int64
        Rows, the smaller first, ascending, each pair once.
    """
    first = np.repeat(np.arange(len(rows)), rows.shape[1])
    second, score = rows.ravel(), scores.ravel()
    with np.errstate(invalid="ignore"):
        near = (second >= 0) & (second != first) & (score >= MIN_COSINE)
        near &= np.abs(durations_s[first] - durations_s[second]) <= MAX_SECONDS
    pairs = np.sort(np.stack([first[near], second[near]], axis=1), axis=1)
    return np.unique(pairs, axis=0)


def connected_groups(n: int, pairs: Sequence[tuple[int, int]] | np.ndarray) -> np.ndarray:
    """The group of each of `n` rows, shape (n,), int64: the first row that it is linked to, directly or through others.

    >>> connected_groups(5, [(1, 3), (3, 4)])
    array([0, 1, 2, 1, 1])
    """
    links = np.asarray(pairs, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    return np.unique(labels, return_index=True)[1][labels].astype(np.int64)


def _patterns(levels: np.ndarray) -> np.ndarray:
    """(n, 16, n_frames) -> (n, 15, n_frames - 1)."""
    return np.diff(np.diff(levels.astype(np.float32), axis=1), axis=2)


def _best_correlation(one: np.ndarray, other: np.ndarray, lag: float) -> float:
    """Greatest correlation of frame t of `one` with frame t + lag' of `other`, lag' near `lag`; 0 where all is flat."""
    n = one.shape[1]
    best = 0.0
    for shift in range(round(lag) - MAX_LAG, round(lag) + MAX_LAG + 1):
        if abs(shift) > n // 2:  # too little in common
            continue
        a = one[:, max(-shift, 0) : n - max(shift, 0)].ravel()
        b = other[:, max(shift, 0) : n - max(-shift, 0)].ravel()
        norm = float(np.sqrt((a @ a) * (b @ b)))
        best = max(best, float(a @ b) / norm if norm else 0.0)
    return best
