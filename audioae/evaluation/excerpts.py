"""Other excerpts of a track as queries: does one part of a recording find the other part in the catalog?

Conventions
-----------
- Clips of the query and clips of the track that is searched for never overlap. The track's embedding in the catalog is
  replaced by that of the searched part; all other tracks keep theirs.
- "half of the track" has the clips of the first half as the query and those of the second as the searched part, "3 s of
  the track" the first clip as the query and all clips after it.
- A track without two clips that do not overlap is left out.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from audioae.constants import CLIP_S
from audioae.library.track_metadata import check_vectors
from audioae.metrics.robustness import PerturbationResult, measure

EXCERPTS = ("3 s of the track", "half of the track")

Clips = tuple[np.ndarray, np.ndarray]
"""Clips of a track: mel codes (n, 128, 130) uint8, and peaks (n,) in dB."""


def split_clips(starts_s: np.ndarray, excerpt: str) -> tuple[np.ndarray, np.ndarray]:
    """Which clips are the query, and which the searched part; both of shape (n,), bool, and both may be empty.

    Parameters
    ----------
    starts_s : np.ndarray, shape (n,)
        Start of each clip, ascending.
    excerpt : str
        One of `EXCERPTS`.

    >>> [part.tolist() for part in split_clips(np.array([0.0, 2.0, 4.0]), "half of the track")]
    [[True, False, False], [False, False, True]]
    """
    n_query = 1 if excerpt == EXCERPTS[0] else max(1, len(starts_s) // 2)
    return np.arange(len(starts_s)) < n_query, starts_s >= starts_s[n_query - 1] + CLIP_S


def measure_excerpts(
    clips: Mapping[int, Clips],
    starts_s: Mapping[int, np.ndarray],
    catalog: np.ndarray,
    rows: np.ndarray,
    groups: np.ndarray,
    vectorize: Callable[[Sequence[Clips]], np.ndarray],
) -> list[PerturbationResult]:
    """Measure how well excerpts find their track; an excerpt that no track has is left out.

    Parameters
    ----------
    clips, starts_s : mapping of int to arrays
        Clips and their starts by position in the sample.
    catalog : np.ndarray, shape (n_tracks, d), rows of length 1
    rows, groups : np.ndarray, shape (n,), int
        Row in the catalog and group of each track of the sample.
    vectorize : callable
        Maps clips of m tracks to vectors (m, d).
    """
    results = []
    for excerpt in EXCERPTS:
        halves = {i: split_clips(starts_s[i], excerpt) for i in clips}
        chosen = [i for i, (query, searched) in halves.items() if query.any() and searched.any()]
        if not chosen:
            continue
        parts = [(clips[i][0][halves[i][side]], clips[i][1][halves[i][side]]) for side in (0, 1) for i in chosen]
        queries, searched = np.split(check_vectors(vectorize(parts), np.arange(len(parts)), excerpt), 2)
        changed, vectors = catalog.copy(), np.full((len(rows), catalog.shape[1]), np.nan, np.float32)
        changed[rows[chosen]], vectors[chosen] = searched, queries
        results.append(measure(excerpt, vectors, changed[rows], changed, rows, groups))
    return results
