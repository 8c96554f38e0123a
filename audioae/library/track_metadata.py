"""Metadata of evaluated tracks, and checks of metadata and vectors.

Conventions
-----------
- In labels, artists, albums and folds "" means unknown; in targets NaN does.
- Checked vectors are float32 with rows of length 1, because all metrics compare by cosine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from audioae.errors import EvaluationError

SHOWN = 5


@dataclass(frozen=True)
class Target:
    """A number per track, NaN where unknown, and its source ("truth.csv", "librosa's estimate")."""

    values: np.ndarray
    source: str


@dataclass(frozen=True)
class TrackMetadata:
    """Metadata of n tracks; every array has n rows.

    Raises
    ------
    EvaluationError
        If there are fewer than two tracks, IDs are duplicate, or the arrays differ in length.
    """

    ids: np.ndarray
    labels: np.ndarray
    artists: np.ndarray
    albums: np.ndarray
    folds: np.ndarray
    targets: Mapping[str, Target] = field(default_factory=dict)

    def __post_init__(self):
        n = len(self.ids)
        if n < 2:
            raise EvaluationError(f"got {n} tracks with an embedding, wanted at least 2")
        values, counts = np.unique(self.ids, return_counts=True)
        if (counts > 1).any():
            raise EvaluationError(f"duplicate IDs: {_listed(values[counts > 1])}; wanted one row per track")
        columns = {name: getattr(self, name) for name in ("labels", "artists", "albums", "folds")}
        columns |= {name: target.values for name, target in self.targets.items()}
        for name, column in columns.items():
            if len(column) != n:
                raise EvaluationError(f"{name}: got {len(column)} values for {n} tracks")

    @property
    def n(self) -> int:
        return len(self.ids)

    @property
    def groups(self) -> np.ndarray:
        """A number per artist, shape (n,), int64; each track without an artist has its own number."""
        unique = np.array([f"\0{i}" for i in range(self.n)], dtype=object)
        names = np.where(self.artists == "", unique, self.artists)
        return np.unique(names.astype(str), return_inverse=True)[1]


def make_metadata(
    ids: Sequence[str],
    *,
    labels: Sequence[str | None] | None = None,
    artists: Sequence[str | None] | None = None,
    albums: Sequence[str | None] | None = None,
    folds: Sequence[str | None] | None = None,
    targets: Mapping[str, Target] | None = None,
) -> TrackMetadata:
    """Make metadata from raw columns: None, NaN and "" mean unknown.

    >>> make_metadata(["a", "b", "c"], artists=["x", None, "x"]).groups.tolist()
    [1, 0, 1]
    """
    columns = (_column(values, len(ids)) for values in (labels, artists, albums, folds))
    return TrackMetadata(np.asarray(ids, dtype=object).astype(str), *columns, targets=targets or {})


def check_vectors(vectors: np.ndarray, ids: np.ndarray, where: str) -> np.ndarray:
    """Scale vectors to length 1, shape (n, d), float32.

    Raises
    ------
    EvaluationError
        If the number of vectors and IDs differs, or a vector is not finite or zero; the message names the tracks.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(ids) or vectors.shape[1] == 0:
        raise EvaluationError(f"{where}: got vectors of shape {vectors.shape} for {len(ids)} tracks, wanted (n, d)")
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        raise EvaluationError(
            f"{where}: {bad.sum()} vectors contain NaN or infinity: {_listed(ids[bad])}; leave them out"
        )
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)  # float32 squares overflow from 2e19 on
    if (lengths == 0).any():
        raise EvaluationError(
            f"{where}: {(lengths == 0).sum()} vectors are zero: {_listed(ids[lengths == 0])}; leave them out"
        )
    return (vectors / lengths[:, None]).astype(np.float32)


def _column(values: Sequence[str | None] | None, n: int) -> np.ndarray:
    if values is None:
        return np.full(n, "", dtype=object)
    unknown = (value is None or value != value for value in values)  # only NaN differs from itself
    texts = ["" if missing else str(value).strip() for missing, value in zip(unknown, values, strict=True)]
    return np.array(texts, dtype=object)


def _listed(ids: np.ndarray) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(map(str, ids[:SHOWN])) + more
