"""Same-recording retrieval: where does a changed copy, or another excerpt, rank its own recording in the catalog?

Conventions
-----------
- The rank is 1 plus the number of other tracks that are closer by cosine; tracks with the same vector are not closer.
- MRR is the mean of 1 / rank. recall@k is the share of queries with a rank of at most k; recall@1 is self-retrieval.
- recall@k is left out unless the catalog has more than k tracks, because it could not be less than 1.

Source: Voorhees 1999, "The TREC-8 Question Answering Track Report" (mean reciprocal rank).
"""

import numpy as np

from audioae.metrics.intervals import SHARE
from audioae.metrics.metric import Metric, mean_metric

RECALLS = (1, 10, 100)


def own_ranks(vectors: np.ndarray, catalog: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rank of its own recording for each query.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d), rows of length 1
    catalog : np.ndarray, shape (n_tracks, d), rows of length 1
    rows : np.ndarray, shape (n,), int
        Row of each query's recording in `catalog`.

    Returns
    -------
    ranks : np.ndarray, shape (n,), int64

    >>> catalog = np.array([[1, 0], [0.8, 0.6], [0, 1]])
    >>> own_ranks(np.array([[1, 0], [0.6, 0.8]]), catalog, np.array([0, 2])).tolist()
    [1, 2]
    """
    scores = vectors @ catalog.T
    closer = scores > scores[np.arange(len(rows)), rows][:, None]
    ranks = 1 + closer.sum(axis=1)
    for i in np.flatnonzero(ranks > 1):  # equal vectors may round to different products
        ranks[i] -= (catalog[closer[i]] == catalog[rows[i]]).all(axis=1).sum()
    return ranks


def rank_metrics(name: str, ranks: np.ndarray, n_tracks: int, groups: np.ndarray) -> dict[str, Metric]:
    """MRR and recall@k, by "mrr", "recall_1", "recall_10" and "recall_100".

    Parameters
    ----------
    name : str
        What the queries are.
    ranks : np.ndarray, shape (n,)
        NaN excludes a query.
    n_tracks : int
        Size of the catalog.
    groups : np.ndarray, shape (n,), int
        Tracks of one group are dependent.
    """
    metrics = {"mrr": mean_metric(f"MRR, {name}", 1 / ranks, groups, limits=SHARE)}
    for k in RECALLS:
        if k == 1 or n_tracks > k:
            found = np.where(np.isnan(ranks), np.nan, ranks <= k)
            metrics[f"recall_{k}"] = mean_metric(f"recall@{k}, {name}", found, groups, limits=SHARE)
    return metrics
