"""Retrieval: are the nearest tracks those that share the query's label, artist or album?

Conventions
-----------
- Every track is a query; the others are ranked by cosine.
- P@k: share of the k nearest that are relevant. Average precision: over the whole ranking. kNN: leave-one-out vote of
  the 5 nearest, each by its cosine.
- By label, tracks of the query's artist are left out of the ranking where artists are known (the "artist filter"), or
  else a model is praised for hearing the mastering; unfiltered figures stand beside them. By artist, tracks of the
  query's album are left out where albums are known.
- A query without a single relevant track has no say; nor, in P@k, one with fewer than k tracks to rank.

Source: artist filter: Pampalk, Flexer and Widmer 2005; album effect: Kim, Williamson and Pilli 2006.
"""

import numpy as np

from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.metric import Metric, MetricSet, mean_metric

BLOCK = 512
NEIGHBORS = 5
MIN_LEFT = 0.2  # a filter that leaves no relevant track to more of the queries than this says nothing


def measure(vectors: np.ndarray, metadata: TrackMetadata, k: int = 10) -> MetricSet:
    """P@k, mAP and kNN by label, artist and album, as far as they are known.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d), float32, rows of length 1
    facts : Facts
    k : int
    """
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    answer = MetricSet()
    for name, column, filter_name, filter_column in (
        ("label", metadata.labels, "artist", metadata.artists),
        ("artist", metadata.artists, "album", metadata.albums),
        ("album", metadata.albums, "", None),
    ):
        known = column != ""
        if len(set(column[known])) < 2:
            found = len(set(column[known]))
            answer += MetricSet(
                omitted=(f"retrieval by {name}: {found} different {name}s known, at least 2 are needed",)
            )
            continue
        answer += _by(scores, column, None, f"by {name}", metadata, k)
        if filter_column is not None and (filter_column != "").any():
            answer += _by(scores, column, filter_column, f"by {name}, other {filter_name}s", metadata, k)
    return answer


def predictions(scores: np.ndarray, labels: np.ndarray, neighbors: int = NEIGHBORS) -> np.ndarray:
    """Label voted by the nearest tracks, shape (n,); `scores` (n, n) has -inf where a track may not vote."""
    names, codes = np.unique(labels.astype(str), return_inverse=True)
    neighbors = min(neighbors, len(labels) - 1)
    nearest = np.argpartition(-scores, neighbors - 1, axis=1)[:, :neighbors]
    rows = np.arange(len(labels))[:, None]
    near = scores[rows, nearest]
    votes = np.zeros((len(labels), len(names)))
    np.add.at(votes, (rows, codes[nearest]), np.where(np.isfinite(near), 1 + near.clip(-1, 1) * 1e-3, 0.0))
    return names[votes.argmax(axis=1)].astype(object)


def _by(
    scores: np.ndarray, column: np.ndarray, left_out: np.ndarray | None, what: str, metadata: TrackMetadata, k: int
) -> MetricSet:
    rows = np.flatnonzero(column != "")
    inner = scores[np.ix_(rows, rows)]
    values = column[rows].astype(str)
    if left_out is not None:
        other = left_out[rows].astype(str)
        inner = np.where((other[:, None] == other) & (other[:, None] != ""), -np.inf, inner)
    precision, average, asked = _rank(inner, values, k)
    if asked.mean() < MIN_LEFT:
        return MetricSet(omitted=(f"retrieval {what}: {asked.sum()} of {len(rows)} tracks have a track to be found",))
    correct = np.where(asked, predictions(inner, values) == values, np.nan)
    omitted = [f"{(~asked).sum()} of {len(rows)} queries {what}: no other track to be found"] if (~asked).any() else []

    def spread(per_row: np.ndarray, name: str) -> Metric:
        per_track = np.full(metadata.n, np.nan)
        per_track[rows] = np.where(asked, per_row, np.nan)
        return mean_metric(f"{name} {what}", per_track, metadata.groups)

    metrics = [spread(average, "mAP"), spread(correct, "kNN")]
    short = asked & np.isnan(precision)
    if short.any():
        omitted.append(f"P@{k} {what}: {short.sum()} of {len(rows)} queries have fewer than {k} tracks to rank")
    if (asked & ~short).mean() >= MIN_LEFT:
        metrics.append(spread(precision, f"P@{k}"))
    return MetricSet(tuple(metrics), tuple(omitted))


def _rank(scores: np.ndarray, values: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P@k (NaN with fewer than k to rank) and average precision of every query; whether it has anything to find."""
    n = len(values)
    precision, average, asked = np.zeros(n), np.zeros(n), np.zeros(n, bool)
    for start in range(0, n, BLOCK):
        block = scores[start : start + BLOCK]
        order = np.argsort(-block, axis=1, kind="stable")
        allowed = np.isfinite(np.take_along_axis(block, order, axis=1))
        relevant = (values[order] == values[start : start + BLOCK, None]) & allowed
        hits = relevant.cumsum(axis=1)
        total = hits[:, -1]
        at = np.arange(1, n + 1)
        average[start : start + BLOCK] = (relevant * hits / at).sum(axis=1) / np.maximum(total, 1)
        enough = allowed.sum(axis=1) >= k
        precision[start : start + BLOCK] = np.where(enough, relevant[:, :k].sum(axis=1) / k, np.nan)
        asked[start : start + BLOCK] = total > 0
    return precision, average, asked
