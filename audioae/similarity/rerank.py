"""Similarity: how several seeds become one query, and which of the nearest tracks make the answer.

Conventions
-----------
- Embeddings are unit vectors, a score is a cosine, higher = closer.
- A query of several seeds is the weighted mean of the liked seeds minus half the weighted mean of the disliked ones,
  scaled to length 1. A single liked seed is the query itself, whatever its weight.
- Hub correction: half of a track's mean cosine to its own 10 nearest is subtracted from its score, so that tracks close
  to everything rank lower.
- Diversity d in [0, 1]: the next track is the one with the greatest (1 - d) * score - d * cosine to the most similar
  track already chosen. 0 orders by closeness; 1 uses closeness for the first track only.

Source: Rocchio 1971 (seeds); Conneau et al. 2018, "Word translation without parallel data" (CSLS); Carbonell and
Goldstein 1998 (maximal marginal relevance).
"""

from collections.abc import Sequence

import numpy as np

from audioae.errors import SearchError

DISLIKED = 0.5
Embeddings = np.ndarray | Sequence[np.ndarray]
ZERO = 1e-3  # a query shorter than this has no meaningful direction


def combine_seeds(
    liked: Embeddings,
    weights: Sequence[float],
    disliked: Embeddings = (),
    disliked_weights: Sequence[float] = (),
) -> np.ndarray:
    """One query from several seeds.

    Parameters
    ----------
    liked, disliked : np.ndarray or sequence of np.ndarray, shape (n, dim), L2-normalized
        Embeddings; at least one liked.
    weights, disliked_weights : sequence of float, above 0
        One per embedding; only their ratios count.

    Returns
    -------
    query : np.ndarray, shape (dim,), float32, L2-normalized

    Raises
    ------
    SearchError
        If a weight is not above 0, or the seeds cancel each other.

    >>> combine_seeds(np.eye(2), [1, 3]).round(2)
    array([0.32, 0.95], dtype=float32)
    """
    if len(liked) == 1 and not len(disliked) and 0 < weights[0] < np.inf:
        return np.asarray(liked[0], np.float32)
    query = _weighted_mean(liked, weights)
    if len(disliked):
        query = query - DISLIKED * _weighted_mean(disliked, disliked_weights)
    length = float(np.linalg.norm(query))
    if length < ZERO:
        raise SearchError("the seeds cancel each other out: drop one or change the weights")
    return (query / length).astype(np.float32)


def correct_hubs(scores: np.ndarray, mean_knn_cosine: np.ndarray) -> np.ndarray:
    """Scores to rank by, from the cosines of the hits and their mean cosines to their own 10 nearest, both (n,).

    >>> correct_hubs(np.array([0.90, 0.88]), np.array([0.9, 0.8]))
    array([0.45, 0.48])
    """
    return scores - mean_knn_cosine / 2


def choose(
    scores: np.ndarray,
    k: int,
    *,
    groups: np.ndarray,
    artists: np.ndarray | None = None,
    max_per_artist: int | None = None,
    embeddings: np.ndarray | None = None,
    diversity: float = 0.0,
) -> list[int]:
    """Choose the candidates that make the answer, best first.

    Parameters
    ----------
    scores : np.ndarray, shape (n,)
        What candidates are ranked by; the first of equal ones is chosen.
    k : int
        How many to choose; fewer only if no more are allowed.
    groups : np.ndarray, shape (n,), int
        Duplicates share a group; at most one of a group is chosen.
    artists : np.ndarray, shape (n,), int
        Needed for `max_per_artist`; -1 where the artist is unknown: those are not counted.
    max_per_artist : int or None
    embeddings : np.ndarray, shape (n, dim)
        Needed for `diversity`.
    diversity : float in [0, 1]

    >>> choose(np.array([0.9, 0.8, 0.7]), 2, groups=np.array([1, 1, 2]), artists=np.array([0, 0, 0]))
    [0, 2]
    """
    if not diversity and max_per_artist is None:
        order = np.argsort(-scores, kind="stable")
        return order[first_of_each(groups[order].tolist(), k, set())].tolist()
    worth = np.asarray(scores, np.float64).copy()
    closest = np.full(len(worth), -np.inf)  # cosine to the nearest chosen track
    open_ = np.ones(len(worth), bool)
    taken: list[int] = []
    while open_.any() and len(taken) < k:
        best = int(np.argmax(np.where(open_, worth, -np.inf)))
        taken.append(best)
        open_ &= groups != groups[best]
        if max_per_artist is not None and artists is not None and artists[best] >= 0:
            same = artists == artists[best]
            if same[taken].sum() >= max_per_artist:
                open_ &= ~same
        if diversity and embeddings is not None:
            closest = np.maximum(closest, embeddings @ embeddings[best])
            worth = (1 - diversity) * scores - diversity * closest
    return taken


def first_of_each(groups: Sequence[int], k: int, excluded: set[int]) -> list[int]:
    """Places of the first `k` that are of different groups, and of none that is excluded.

    >>> first_of_each([7, 5, 7, 3, 9], 2, {5})
    [0, 3]
    """
    if len(set(groups)) == len(groups):  # the usual case, in half the time
        return [place for place, group in enumerate(groups) if group not in excluded][:k]
    seen, taken = set(excluded), []
    for place, group in enumerate(groups):
        if group not in seen:
            seen.add(group)
            taken.append(place)
            if len(taken) == k:
                break
    return taken


def _weighted_mean(embeddings: Embeddings, weights: Sequence[float]) -> np.ndarray:
    if not all(0 < weight < np.inf for weight in weights):
        raise SearchError(
            f"weights: got {list(weights)}, wanted numbers above 0; a disliked track is a seed of `minus`"
        )
    return np.average(np.asarray(embeddings, np.float64), axis=0, weights=weights)
