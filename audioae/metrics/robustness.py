"""Robustness: does a recording keep its embedding when its file is re-encoded, shifted or filtered?

Conventions
-----------
- The embedding of a perturbed track is compared with that of its original, and is used as a query in the whole catalog.
  It finds its original if no other track is closer; ties count as found.
- A row of NaN marks a track without this perturbed version, which excludes the track. All perturbations of one sample
  therefore have the same rows, and `metric.difference` can compare two sets of embeddings on them.
- If all n tracks are found, the bootstrap interval is [1, 1], but the true share may be as low as about 1 - 3/n.

Source: Hanley and Lippman-Hand 1983, "If nothing goes wrong, is everything all right?" (the bound 1 - 3/n).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audioae.errors import EvaluationError
from audioae.metrics.metric import Metric, mean_metric

NEAR = 0.99
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
    cosine, self_retrieval : Metric
        Mean cosine to the original, and share of the tracks whose nearest track is their original.
    cosine_min, share_near : float
        Lowest cosine, and share of the tracks with a cosine of at least `NEAR`.
    """

    name: str
    cosine: Metric
    self_retrieval: Metric
    cosine_min: float
    share_near: float

    def row(self) -> dict[str, Any]:
        """Return the values with the ends of their intervals, as one row of the table."""
        return {
            "perturbation": self.name,
            "n": self.cosine.n,
            "cosine_mean": self.cosine.value,
            "cosine_low": self.cosine.interval[0],
            "cosine_high": self.cosine.interval[1],
            "cosine_min": self.cosine_min,
            "share_99": self.share_near,
            "self_retrieval": self.self_retrieval.value,
            "self_low": self.self_retrieval.interval[0],
            "self_high": self.self_retrieval.interval[1],
        }


def measure(
    name: str,
    perturbed: np.ndarray,
    originals: np.ndarray,
    catalog: np.ndarray,
    rows: np.ndarray,
    groups: np.ndarray,
) -> PerturbationResult:
    """Measure the cosine to the original and self-retrieval@1 under one perturbation.

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
        Group of each track; the bootstrap resamples whole groups.

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
    cosines, hits = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    cosines[present] = np.einsum("ij,ij->i", perturbed[present], originals[present], dtype=np.float64).clip(-1, 1)
    hits[present] = _finds_original(perturbed[present], catalog, rows[present])
    return PerturbationResult(
        name,
        mean_metric(f"cosine, {name}", cosines, groups),
        mean_metric(f"self-retrieval@1, {name}", hits, groups),
        float(cosines[present].min()),
        float((cosines[present] >= NEAR).mean()),
    )


def same_track(results: Sequence[PerturbationResult]) -> Metric:
    """Average, over tracks, the share of a track's perturbed versions that find it.

    Show `SAME_TRACK_CAVEAT` together with this metric.

    Raises
    ------
    EvaluationError
        If there are no results, or they cover different samples of tracks.
    """
    if len({len(result.self_retrieval.columns) for result in results}) != 1:
        sizes = ", ".join(f"{r.name}: {len(r.self_retrieval.columns)} tracks" for r in results)
        raise EvaluationError(f"same-track retrieval: got {sizes or 'no results'}; wanted results of one sample")
    hits, versions = np.sum([result.self_retrieval.columns for result in results], axis=0).T
    shares = np.where(versions > 0, hits / np.maximum(versions, 1), np.nan)
    return mean_metric("same-track retrieval", shares, results[0].self_retrieval.groups)


def _finds_original(vectors: np.ndarray, catalog: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """For each vector, whether no track of the catalog is closer than the one at its row."""
    scores = vectors @ catalog.T
    best = scores.argmax(axis=1)
    at = np.arange(len(rows))
    tied = scores[at, best] == scores[at, rows]
    return tied | (catalog[best] == catalog[rows]).all(axis=1)  # equal vectors may round to different products


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
