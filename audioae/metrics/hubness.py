"""Hubness and exposure: do a few tracks stand in every list, and how many in none?

Conventions
-----------
- k-occurrence of a track: in how many of the other tracks' k nearest it stands; k on average.
- Skewness of k-occurrence: 0 is even, above 1 is hubby. Exposure: the share of tracks that no query returns.

Source: Radovanovic, Nanopoulos and Ivanovic 2010, "Hubs in space".
"""

import numpy as np

from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.metric import Metric, MetricSet, mean_metric, skewness

BLOCK = 1024


def occurrence(vectors: np.ndarray, k: int) -> np.ndarray:
    """k-occurrence of every track, shape (n,), int64.

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
    """Skewness of k-occurrence, share of tracks never returned, and the biggest hub's share of all lists."""
    if metadata.n <= k + 1:
        return MetricSet(omitted=(f"hubness: {metadata.n} tracks are too few for lists of {k}",))
    counts = occurrence(vectors, k).astype(float)
    powers = np.stack([counts**power for power in range(4)], axis=1)
    return MetricSet(
        (
            Metric(f"skewness of {k}-occurrence", powers, skewness, metadata.groups, higher_is_better=False),
            mean_metric(f"never in a top {k}", (counts == 0).astype(float), metadata.groups, higher_is_better=False),
        )
    )


def biggest_hubs(vectors: np.ndarray, k: int = 10, n_hubs: int = 10) -> list[tuple[int, int]]:
    """(row, k-occurrence) of the tracks that stand in most lists, most first."""
    if len(vectors) <= k + 1:
        return []
    counts = occurrence(vectors, k)
    return [(int(row), int(counts[row])) for row in np.argsort(-counts, kind="stable")[:n_hubs]]
