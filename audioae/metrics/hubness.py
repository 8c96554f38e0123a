"""Hubness and exposure: which tracks appear in many neighbor lists, and how many tracks in none?

Conventions
-----------
- The k-occurrence of a track is the number of other tracks that have it among their k nearest; its mean is k.
- Skewness of the k-occurrence: 0 for equal exposure, above 1 for strong hubness. "Never in a top k" is the share of
  tracks that no query returns.

Source: Radovanovic, Nanopoulos and Ivanovic 2010, "Hubs in space".
"""

import numpy as np

from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.intervals import SHARE
from audioae.metrics.metric import Metric, MetricSet, mean_metric, skewness

BLOCK = 1024


def occurrence(vectors: np.ndarray, k: int) -> np.ndarray:
    """Count the k-occurrence of every track, shape (n,), int64.

    >>> occurrence(np.eye(3, dtype=np.float32)[[0, 0, 1]], k=1).sum()
    np.int64(3)
    """
    counts = np.zeros(len(vectors), np.int64)
    for start in range(0, len(vectors), BLOCK):
        scores = vectors[start : start + BLOCK] @ vectors.T
        scores[np.arange(len(scores)), start + np.arange(len(scores))] = -np.inf
        nearest = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        counts += np.bincount(nearest.ravel(), minlength=len(vectors))
    return counts


def measure(vectors: np.ndarray, metadata: TrackMetadata, k: int = 10) -> MetricSet:
    """Measure the skewness of the k-occurrence and the share of tracks that are never returned."""
    if metadata.n <= k + 1:
        return MetricSet(omitted=(f"hubness: {metadata.n} tracks are too few for lists of {k} neighbors",))
    counts = occurrence(vectors, k).astype(float)
    powers = np.stack([counts**power for power in range(4)], axis=1)
    return MetricSet(
        (
            Metric(f"skewness of {k}-occurrence", powers, skewness, metadata.groups, higher_is_better=False),
            mean_metric(f"never in a top {k}", (counts == 0).astype(float), metadata.groups, False, SHARE),
        )
    )


def biggest_hubs(vectors: np.ndarray, k: int = 10, n_hubs: int = 10) -> list[tuple[int, int]]:
    """List (row, k-occurrence) of the tracks that appear in the most neighbor lists, most frequent first."""
    if len(vectors) <= k + 1:
        return []
    counts = occurrence(vectors, k)
    return [(int(row), int(counts[row])) for row in np.argsort(-counts, kind="stable")[:n_hubs]]
