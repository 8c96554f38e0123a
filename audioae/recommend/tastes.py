"""A listener's tastes: clusters of the played tracks, and how well other tracks fit them.

Conventions
-----------
- Features are float32 (n, d), rows of length 1. The weight of a played track says how much it counts.
- The fit of a track is log(sum over tastes of share * exp(KAPPA * (cosine - 1))). It is at most 0, and high if the
  track is close to one taste, no matter how far it is from the others.

Why clusters by distance and not by number: the number of tastes is unknown. Two tracks belong to one taste if they are
as close as the closest `SAME_TASTE` of all pairs in the catalog, which does not depend on the scale of the model's
cosines. Clusters with less than `MIN_SHARE` of the plays are dropped as occasional plays.

Source: Pal et al. 2020, "PinnerSage: Multi-Modal User Embedding Framework for Recommendations at Pinterest" (clustering
a listener's items; Ward linkage and medoids there, average linkage here). The fit is the logarithm of a mixture of von
Mises-Fisher distributions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from audioae.spacing import evenly_spaced

KAPPA = 5.0  # measured: 3 to 8 rank equally well
SAME_TASTE = 0.15
MIN_SHARE = 0.08
MAX_TASTES = 5
MAX_TRACKS = 500  # of a longer history, those with the largest weights
SAMPLE = 1000  # tracks whose pairs give the distance of one taste


@dataclass(frozen=True)
class Tastes:
    """The tastes of one listener, the largest share first.

    Parameters
    ----------
    centroids : np.ndarray, shape (n_tastes, d), float32, rows of length 1
    shares : np.ndarray, shape (n_tastes,)
        Sum to 1.
    members : tuple of np.ndarray, int64
        For each taste the rows of its played tracks, the largest weight first.
    """

    centroids: np.ndarray
    shares: np.ndarray
    members: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Reason:
    """Why a track was recommended: the listener's taste that it fits, and the rows of the closest played tracks."""

    taste: int
    rows: np.ndarray


def same_taste_distance(features: np.ndarray) -> float:
    """Compute the cosine distance below which two tracks belong to one taste: the `SAME_TASTE` quantile of all pairs.

    >>> round(same_taste_distance(np.eye(4, dtype=np.float32)), 3)
    1.0
    """
    sample = features[evenly_spaced(len(features), SAMPLE)]
    if len(sample) < 2:
        return 1.0
    return float(np.quantile(1 - (sample @ sample.T)[np.triu_indices(len(sample), 1)], SAME_TASTE))


def find_tastes(features: np.ndarray, rows: np.ndarray, weights: np.ndarray, distance: float) -> Tastes:
    """Cluster the played `rows` of `features` into tastes.

    Parameters
    ----------
    features : np.ndarray, shape (n, d), float32
    rows : np.ndarray, shape (m,), int64
        At least one.
    weights : np.ndarray, shape (m,)
        Above 0.
    distance : float
        The catalog's `same_taste_distance`.
    """
    order = np.argsort(-weights, kind="stable")[:MAX_TRACKS]
    rows, weights = rows[order], weights[order].astype(np.float64)
    played = features[rows]
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


def taste_fit(listeners: Sequence[Tastes], features: np.ndarray) -> np.ndarray:
    """Compute the fit of each track to the tastes of each listener, shape (n_listeners, n), float32."""
    density = np.concatenate([tastes.centroids for tastes in listeners]) @ features.T
    np.exp(np.float32(KAPPA) * (density - 1), out=density)
    density *= np.concatenate([tastes.shares for tastes in listeners]).astype(np.float32)[:, None]
    starts = np.cumsum([0, *(len(tastes.shares) for tastes in listeners[:-1])])
    return np.log(np.add.reduceat(density, starts, axis=0))


def find_reason(tastes: Tastes, features: np.ndarray, track: np.ndarray, n: int = 2) -> Reason:
    """Find the taste that a track fits best, and the `n` played tracks of that taste that are closest to it.

    Parameters
    ----------
    tastes : Tastes
    features : np.ndarray, shape (n_tracks, d)
        Those whose rows are the members of the tastes.
    track : np.ndarray, shape (d,)
    n : int
    """
    taste = int(np.argmax(np.log(tastes.shares) + KAPPA * (tastes.centroids @ track)))
    members = tastes.members[taste]
    closest = np.argsort(-(features[members] @ track), kind="stable")[:n]
    return Reason(taste, members[closest])
