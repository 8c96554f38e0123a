"""Retrieval: do the nearest tracks share the query's label, artist or album?

Conventions
-----------
- Every track is a query; all other tracks are ranked by cosine.
- P@k is the share of the k nearest that are relevant. mAP is the mean average precision over the whole ranking. kNN is
  the accuracy of a leave-one-out vote of the 5 nearest, weighted by cosine.
- Where artists are known, metrics by label are also measured with the query's artist removed from the ranking (the
  "artist filter"). Without it a model scores for recognizing the mastering. Likewise metrics by artist without the
  query's album.
- A query with no relevant track is excluded; from P@k also a query with fewer than k tracks to rank.

Source: artist filter: Pampalk, Flexer and Widmer 2005; album effect: Kim, Williamson and Pilli 2006.
"""

import numpy as np

from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.intervals import SHARE
from audioae.metrics.metric import Metric, MetricSet, mean_metric

BLOCK = 512
NEIGHBORS = 5
MIN_LEFT = 0.2  # a metric needs at least this share of the queries to have a relevant track


def measure(vectors: np.ndarray, metadata: TrackMetadata, k: int = 10) -> MetricSet:
    """Measure P@k, mAP and kNN by each of label, artist and album that is known.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d), float32, rows of length 1
    metadata : TrackMetadata
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
            n_known = len(set(column[known]))
            answer += MetricSet(omitted=(f"retrieval by {name}: known {name}s: {n_known}, at least 2 are needed",))
            continue
        answer += _by(scores, column, None, f"by {name}", metadata, k)
        if filter_column is not None and (filter_column != "").any():
            answer += _by(scores, column, filter_column, f"by {name}, other {filter_name}s", metadata, k)
    return answer


def predictions(scores: np.ndarray, labels: np.ndarray, neighbors: int = NEIGHBORS) -> np.ndarray:
    """Predict each label by the vote of the nearest tracks, shape (n,); -inf in `scores` (n, n) excludes a voter."""
    names, codes = np.unique(labels.astype(str), return_inverse=True)
    neighbors = min(neighbors, len(labels) - 1)
    nearest = np.argpartition(-scores, neighbors - 1, axis=1)[:, :neighbors]
    rows = np.arange(len(labels))[:, None]
    near = scores[rows, nearest]
    votes = np.zeros((len(labels), len(names)))
    np.add.at(votes, (rows, codes[nearest]), np.where(np.isfinite(near), 1 + near.clip(-1, 1) * 1e-3, 0.0))
    return names[votes.argmax(axis=1)].astype(object)


def _by(
    scores: np.ndarray, column: np.ndarray, filtered: np.ndarray | None, what: str, metadata: TrackMetadata, k: int
) -> MetricSet:
    rows = np.flatnonzero(column != "")
    inner = scores[np.ix_(rows, rows)]
    values = column[rows].astype(str)
    if filtered is not None:
        other = filtered[rows].astype(str)
        inner = np.where((other[:, None] == other) & (other[:, None] != ""), -np.inf, inner)
    precision, average, scored = _rank(inner, values, k)
    if scored.mean() < MIN_LEFT:
        return MetricSet(omitted=(f"retrieval {what}: {scored.sum()} of {len(rows)} queries have a relevant track",))
    correct = np.where(scored, predictions(inner, values) == values, np.nan)
    without = (~scored).sum()
    omitted = [f"retrieval {what}: {without} of {len(rows)} queries have no relevant track"] if without else []

    def metric(per_row: np.ndarray, name: str) -> Metric:
        per_track = np.full(metadata.n, np.nan)
        per_track[rows] = np.where(scored, per_row, np.nan)
        return mean_metric(f"{name} {what}", per_track, metadata.groups, limits=SHARE)

    metrics = [metric(average, "mAP"), metric(correct, "kNN")]
    short = scored & np.isnan(precision)
    if short.any():
        omitted.append(f"P@{k} {what}: {short.sum()} of {len(rows)} queries have fewer than {k} tracks to rank")
    if (scored & ~short).mean() >= MIN_LEFT:
        metrics.append(metric(precision, f"P@{k}"))
    return MetricSet(tuple(metrics), tuple(omitted))


def _rank(scores: np.ndarray, values: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P@k (NaN with fewer than k to rank) and average precision of every query; whether it has a relevant track."""
    n = len(values)
    precision, average, scored = np.zeros(n), np.zeros(n), np.zeros(n, bool)
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
        scored[start : start + BLOCK] = total > 0
    return precision, average, scored
