"""A listener's tastes: one or several centroids of what was played, and how close other tracks are to them.

Conventions
-----------
- Embeddings are float32 (n, d), rows of length 1; weights say how much each played track counts.
- The fit of a track is log(sum over tastes of share * exp(KAPPA * (cosine - 1))): 0 at best, and high where the track
  is close to one taste, however far from the others.

Why clusters by a distance and not by a number: how many tastes a listener has is what we want to know. Two tracks are
of one taste if they are as alike as the closest `ALIKE` of all pairs of the catalog, whatever the model's cosines are.
What is played now and then beside the tastes is noise: clusters below `MIN_SHARE` are dropped.

Source: average linkage of a listener's items as in Pal et al. 2020, "PinnerSage: Multi-Modal User Embedding Framework
for Recommendations at Pinterest" (Ward and medoids there); the fit is a mixture of von Mises-Fisher distributions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from audioae.spacing import evenly_spaced

KAPPA = 5.0  # measured: 3 to 8 rank equally well
ALIKE = 0.15
MIN_SHARE = 0.08
MAX_TASTES = 5
MOST_TRACKS = 500  # of a longer history, those that count most
PAIRS_FROM = 1000  # tracks


@dataclass(frozen=True)
class Tastes:
    """What one listener likes, the largest share first.

    Parameters
    ----------
    centroids : np.ndarray, shape (n_tastes, d), float32, rows of length 1
    shares : np.ndarray, shape (n_tastes,)
        Sum to 1.
    members : tuple of np.ndarray, int64
        Per taste the played rows that made it, what counts most first.
    """

    centroids: np.ndarray
    shares: np.ndarray
    members: tuple[np.ndarray, ...]


def alike_distance(embeddings: np.ndarray) -> float:
    """Cosine distance below which two tracks are of one taste: see `ALIKE`.

    >>> round(alike_distance(np.eye(4, dtype=np.float32)), 3)
    1.0
    """
    sample = embeddings[evenly_spaced(len(embeddings), PAIRS_FROM)]
    if len(sample) < 2:
        return 1.0
    return float(np.quantile(1 - (sample @ sample.T)[np.triu_indices(len(sample), 1)], ALIKE))


def find_tastes(embeddings: np.ndarray, rows: np.ndarray, weights: np.ndarray, distance: float) -> Tastes:
    """The tastes behind the played `rows` of `embeddings`.

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, d), float32
    rows : np.ndarray, shape (m,), int64
        At least one.
    weights : np.ndarray, shape (m,)
        Above 0.
    distance : float
        What `alike_distance` says of the catalog.
    """
    order = np.argsort(-weights, kind="stable")[:MOST_TRACKS]
    rows, weights = rows[order], weights[order].astype(np.float64)
    played = embeddings[rows]
    if len(rows) == 1:
        cluster = np.zeros(1, int)
    else:
        distances = np.clip(1 - played @ played.T, 0, None)[np.triu_indices(len(rows), 1)]
        cluster = fcluster(linkage(distances, "average"), distance, "distance") - 1
    share = np.bincount(cluster, weights) / weights.sum()
    largest = np.argsort(-share, kind="stable")[:MAX_TASTES]
    kept = [c for c in largest if share[c] >= MIN_SHARE] or [largest[0]]
    centroids = np.stack([weights[cluster == c] @ played[cluster == c] for c in kept])
    centroids /= np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), 1e-9)
    members = tuple(rows[cluster == c] for c in kept)
    return Tastes(centroids.astype(np.float32), share[kept] / share[kept].sum(), members)


def fit_of(listeners: Sequence[Tastes], embeddings: np.ndarray) -> np.ndarray:
    """How well each track fits the tastes of each listener, shape (n_listeners, n), float32; see the module."""
    near = np.concatenate([tastes.centroids for tastes in listeners]) @ embeddings.T
    np.exp(np.float32(KAPPA) * (near - 1), out=near)
    near *= np.concatenate([tastes.shares for tastes in listeners]).astype(np.float32)[:, None]
    starts = np.cumsum([0, *(len(tastes.shares) for tastes in listeners[:-1])])
    return np.log(np.add.reduceat(near, starts, axis=0))
