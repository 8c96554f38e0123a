"""Robustness: does a recording keep its embedding when its file is re-encoded, shifted or filtered?

Conventions
-----------
- The embedding of a perturbed track is compared with that of its original, and is used as a query in the whole catalog.
  Its rank there, MRR and recall@k are those of `metrics.same_recording`; self-retrieval is recall@1.
- A row of NaN marks a track without this perturbed version, which excludes the track. All perturbations of one sample
  therefore have the same rows, and `metric.difference` can compare two sets of embeddings on them.
- If all n tracks are found, the interval ends at 1, and begins at about 1 - 4/n (tracks of different artists).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audioae.errors import EvaluationError
from audioae.metrics.intervals import SHARE
from audioae.metrics.metric import Metric, mean_metric
from audioae.metrics.same_recording import own_ranks, rank_metrics

NEAR = 0.99
RANKED = ("mrr", "recall_10", "recall_100")
COSINE = (-np.inf, 1.0)  # without the other limit: the interval is that of the distance to 1
SAME_TRACK = {
    "recall_1": "same-track retrieval",
    "mrr": "same-track retrieval, MRR",
    "recall_10": "same-track retrieval, recall@10",
}
NORM_TOLERANCE = 1e-3
SAME_TRACK_CAVEAT = (
    "Same-track retrieval searches for the original of a re-encoded, louder, filtered or noisy copy. A model can solve "
    "it from a track's constant level, EQ or noise floor alone, so do not tune on this figure."
)


@dataclass(frozen=True)
class PerturbationResult:
    """Effect of one perturbation on the embeddings of a sample of tracks.

    Parameters
    ----------
    name : str
        Name of the perturbation.
    cosine : Metric
        Mean cosine to the original.
    found : dict of str to Metric
        MRR and recall@k, as `same_recording.rank_metrics` names them.
    cosine_min, share_near : float
        Lowest cosine, and share of the tracks with a cosine of at least `NEAR`.
    """

    name: str
    cosine: Metric
    found: Mapping[str, Metric]
    cosine_min: float
    share_near: float

    @property
    def self_retrieval(self) -> Metric:
        """Share of the tracks whose nearest track is their original."""
        return self.found["recall_1"]

    def row(self) -> dict[str, Any]:
        """Return the values with the ends of their intervals (None: too few artists), as one row of the table."""
        cosine, found = (metric.interval or (None, None) for metric in (self.cosine, self.self_retrieval))
        return {
            "perturbation": self.name,
            "n": self.cosine.n,
            "cosine_mean": self.cosine.value,
            "cosine_low": cosine[0],
            "cosine_high": cosine[1],
            "cosine_min": self.cosine_min,
            "share_99": self.share_near,
            "self_retrieval": self.self_retrieval.value,
            "self_low": found[0],
            "self_high": found[1],
            **{key: value for name in RANKED for key, value in self._ranked(name).items()},
        }

    def _ranked(self, name: str) -> dict[str, float | None]:
        """A metric by rank with its interval; None where the catalog is too small for it."""
        metric = self.found.get(name)
        low, high = (metric.interval if metric else None) or (None, None)
        return {name: metric.value if metric else None, f"{name}_low": low, f"{name}_high": high}


def measure(
    name: str,
    perturbed: np.ndarray,
    originals: np.ndarray,
    catalog: np.ndarray,
    rows: np.ndarray,
    groups: np.ndarray,
) -> PerturbationResult:
    """Measure the cosine to the original and where it ranks under one perturbation.

    Parameters
    ----------
    name : str
        Name of the perturbation.
    perturbed : np.ndarray, shape (n, d), rows of length 1
        NaN where a track has no perturbed version.
    originals : np.ndarray, shape (n, d), rows of length 1
    catalog : np.ndarray, shape (n_tracks, d), rows of length 1
        Embeddings to search in.
    rows : np.ndarray, shape (n,), int
        Row of each original in `catalog`.
    groups : np.ndarray, shape (n,), int
        Group of each track; tracks of one group are dependent.

    Raises
    ------
    EvaluationError
        If shapes do not match, a vector is not of length 1, or no track has a perturbed version.

    >>> catalog = np.eye(3, dtype=np.float32)
    >>> measure("none", catalog[:2], catalog[:2], catalog, np.array([0, 1]), np.arange(2)).self_retrieval.value
    1.0
    """
    _check(name, perturbed, originals, catalog, rows, groups)
    present = np.flatnonzero(~np.isnan(perturbed).all(axis=1))
    cosines, ranks = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    cosines[present] = np.einsum("ij,ij->i", perturbed[present], originals[present], dtype=np.float64).clip(-1, 1)
    ranks[present] = own_ranks(perturbed[present], catalog, rows[present])
    return PerturbationResult(
        name,
        mean_metric(f"cosine, {name}", cosines, groups, limits=COSINE),
        rank_metrics(name, ranks, len(catalog), groups),
        float(cosines[present].min()),
        float((cosines[present] >= NEAR).mean()),
    )


def same_track(results: Sequence[PerturbationResult]) -> tuple[Metric, ...]:
    """Average, over tracks, what a track's perturbed versions reach: the share that finds it, MRR, and recall@10.

    Show `SAME_TRACK_CAVEAT` together with these metrics.

    Raises
    ------
    EvaluationError
        If there are no results, or they cover different samples of tracks.
    """
    if len({len(result.self_retrieval.columns) for result in results}) != 1:
        sizes = ", ".join(f"{r.name}: {len(r.self_retrieval.columns)} tracks" for r in results)
        raise EvaluationError(f"same-track retrieval: got {sizes or 'no results'}; wanted results of one sample")
    return tuple(
        _over_versions(key, [result.found[name] for result in results])
        for name, key in SAME_TRACK.items()
        if name in results[0].found
    )


def _over_versions(key: str, metrics: Sequence[Metric]) -> Metric:
    """The mean over each track's versions, averaged over tracks."""
    sums, versions = np.sum([metric.columns for metric in metrics], axis=0).T
    means = np.where(versions > 0, sums / np.maximum(versions, 1), np.nan)
    return mean_metric(key, means, metrics[0].groups, limits=SHARE)


def _check(
    name: str, perturbed: np.ndarray, originals: np.ndarray, catalog: np.ndarray, rows: np.ndarray, groups: np.ndarray
) -> None:
    shape = (len(rows), catalog.shape[-1])
    if perturbed.shape != shape or originals.shape != shape or catalog.ndim != 2 or len(groups) != len(rows):
        got = f"perturbed {perturbed.shape}, originals {originals.shape}, catalog {catalog.shape}, {len(groups)} groups"
        raise EvaluationError(f"{name}: got {got} for {len(rows)} tracks, wanted (n, d), (n, d), (n_tracks, d), n")
    missing = np.isnan(perturbed).all(axis=1)
    if missing.all():
        raise EvaluationError(f"{name}: none of {len(rows)} tracks has this version; leave out the perturbation")
    if rows.min() < 0 or rows.max() >= len(catalog):
        raise EvaluationError(f"{name}: got rows {rows.min()} to {rows.max()}, wanted 0 to {len(catalog) - 1}")
    for what, vectors in (("perturbed", perturbed[~missing]), ("originals", originals), ("catalog", catalog)):
        wrong = ~(np.abs(np.linalg.norm(vectors, axis=1) - 1) <= NORM_TOLERANCE)  # NaN is wrong too
        if wrong.any():
            counted = f"{wrong.sum()} of {len(vectors)} {what} vectors"
            raise EvaluationError(f"{name}: {counted} are not of length 1; normalize them")
