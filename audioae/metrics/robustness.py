"""Stability: does a recording keep its embedding when something happens to the file?

Conventions
-----------
- A perturbed track is compared with its own original, and asked for among the whole catalog. It finds its original if
  no other track is closer; one that is exactly as close (an identical vector, say) does not take that away.
- A row of NaN stands for a track that has no such version; it has no say. So all perturbations of one sample have the
  same rows, and two embeddings can be compared on them by `metric.difference`.
- Where all tracks are found, the bootstrap's interval is [1, 1]; of n tracks, a true share down to about 1 - 3/n may be
  behind it.

Source: the bound for "all of n": Hanley and Lippman-Hand 1983, "If nothing goes wrong, is everything all right?".
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
    "Same-track retrieval asks for the original of a re-encoded, louder, filtered or noisy copy. Where every track has "
    "its own constant level, EQ or noise floor, reading that alone solves it: do not tune on this figure."
)


@dataclass(frozen=True)
class Stability:
    """What one perturbation does to a sample of tracks.

    Parameters
    ----------
    name : str
        Of the perturbation.
    cosine, self_retrieval : Metric
        Mean cosine to the original; share of the tracks that find their original first.
    cosine_min, share_near : float
        The worst cosine, and the share of the tracks with `NEAR` or more.
    """

    name: str
    cosine: Metric
    self_retrieval: Metric
    cosine_min: float
    share_near: float

    def row(self) -> dict[str, Any]:
        """A row of the table: figures, with the ends of their intervals."""
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
) -> Stability:
    """Cosine to the original and self-retrieval@1 under one perturbation.

    Parameters
    ----------
    name : str
        Of the perturbation.
    perturbed : np.ndarray, shape (n, d), rows of length 1, or of NaN where a track has no such version
    originals : np.ndarray, shape (n, d), rows of length 1
    catalog : np.ndarray, shape (n_tracks, d), rows of length 1
        Where the original is to be found.
    rows : np.ndarray, shape (n,), int
        The row of each original in `catalog`.
    groups : np.ndarray, shape (n,), int
        Which tracks the bootstrap draws together.

    Raises
    ------
    EvaluationError
        If shapes do not fit together, a vector is not of length 1, or no track has such a version.

    >>> catalog = np.eye(3, dtype=np.float32)
    >>> measure("none", catalog[:2], catalog[:2], catalog, np.array([0, 1]), np.arange(2)).self_retrieval.value
    1.0
    """
    _check(name, perturbed, originals, catalog, rows, groups)
    asked = np.flatnonzero(~np.isnan(perturbed).all(axis=1))
    cosines, found = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    cosines[asked] = np.einsum("ij,ij->i", perturbed[asked], originals[asked], dtype=np.float64).clip(-1, 1)
    found[asked] = _finds(perturbed[asked], catalog, rows[asked])
    return Stability(
        name,
        mean_metric(f"cosine, {name}", cosines, groups),
        mean_metric(f"self-retrieval@1, {name}", found, groups),
        float(cosines[asked].min()),
        float((cosines[asked] >= NEAR).mean()),
    )


def same_track(stabilities: Sequence[Stability]) -> Metric:
    """Same-track retrieval: a track's share of versions that find it, averaged over tracks.

    Show `SAME_TRACK_CAVEAT` beside it.

    Raises
    ------
    EvaluationError
        If there is none, or they are not of one sample of tracks.
    """
    if len({len(stability.self_retrieval.columns) for stability in stabilities}) != 1:
        sizes = ", ".join(f"{s.name}: {len(s.self_retrieval.columns)}" for s in stabilities)
        raise EvaluationError(f"same-track retrieval: got tracks of {sizes or 'nothing'}, wanted one sample of tracks")
    found, asked = np.sum([stability.self_retrieval.columns for stability in stabilities], axis=0).T
    shares = np.where(asked > 0, found / np.maximum(asked, 1), np.nan)
    return mean_metric("same-track retrieval", shares, stabilities[0].self_retrieval.groups)


def _finds(vectors: np.ndarray, catalog: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Whether no track of the catalog is closer to each vector than the one at its row."""
    scores = vectors @ catalog.T
    best = scores.argmax(axis=1)
    at = np.arange(len(rows))
    tied = scores[at, best] == scores[at, rows]  # a product may round otherwise in another column: see the next line
    return tied | (catalog[best] == catalog[rows]).all(axis=1)


def _check(
    name: str, perturbed: np.ndarray, originals: np.ndarray, catalog: np.ndarray, rows: np.ndarray, groups: np.ndarray
) -> None:
    shape = (len(rows), catalog.shape[-1])
    if perturbed.shape != shape or originals.shape != shape or catalog.ndim != 2 or len(groups) != len(rows):
        got = f"perturbed {perturbed.shape}, originals {originals.shape}, catalog {catalog.shape}, {len(groups)} groups"
        raise EvaluationError(f"{name}: got {got} for {len(rows)} tracks, wanted (n, d), (n, d), (n_tracks, d), n")
    missing = np.isnan(perturbed).all(axis=1)
    if missing.all():
        raise EvaluationError(f"{name}: none of {len(rows)} tracks has such a version; leave this perturbation out")
    if rows.min() < 0 or rows.max() >= len(catalog):
        raise EvaluationError(f"{name}: got rows {rows.min()} to {rows.max()}, wanted 0 to {len(catalog) - 1}")
    for what, vectors in (("perturbed", perturbed[~missing]), ("originals", originals), ("catalog", catalog)):
        wrong = ~(np.abs(np.linalg.norm(vectors, axis=1) - 1) <= NORM_TOLERANCE)  # NaN is wrong too
        if wrong.any():
            counted = f"{wrong.sum()} of {len(vectors)} {what} vectors"
            raise EvaluationError(f"{name}: {counted} are not of length 1; normalize them")
