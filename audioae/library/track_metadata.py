"""What is known of the tracks that embeddings are evaluated on, and the checks on both.

Conventions
-----------
- "" stands for "not known" in labels, artists, albums and folds; NaN in targets.
- Vectors come out as float32 with rows of length 1: every question compares by cosine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from audioae.errors import EvaluationError

SHOWN = 5


@dataclass(frozen=True)
class Target:
    """A number per track, NaN where it is not known, and where it comes from ("truth.csv", "librosa's estimate")."""

    values: np.ndarray
    source: str


@dataclass(frozen=True)
class TrackMetadata:
    """What is known of each track; all arrays have n rows.

    Raises
    ------
    EvaluationError
        If there are fewer than two tracks, an ID stands twice, or an array has another length.
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
            raise EvaluationError(f"got {n} tracks with an embedding, wanted at least 2 to compare")
        values, counts = np.unique(self.ids, return_counts=True)
        if (counts > 1).any():
            raise EvaluationError(f"IDs that stand more than once: {_listed(values[counts > 1])}; each track needs one")
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
        """Tracks of one artist have one number; a track without an artist stands alone. Shape (n,), int64."""
        own = np.array([f"\0{i}" for i in range(self.n)], dtype=object)
        names = np.where(self.artists == "", own, self.artists)
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
    """Facts from columns as they are read: None, NaN and "" mean "not known".

    >>> make_facts(["a", "b", "c"], artists=["x", None, "x"]).groups.tolist()
    [1, 0, 1]
    """
    columns = (_column(values, len(ids)) for values in (labels, artists, albums, folds))
    return TrackMetadata(np.asarray(ids, dtype=object).astype(str), *columns, targets=targets or {})


def check_vectors(vectors: np.ndarray, ids: np.ndarray, where: str) -> np.ndarray:
    """The vectors with length 1, shape (n, d), float32.

    Raises
    ------
    EvaluationError
        If there are not as many as IDs, one is not finite, or one has no direction; the message names the tracks.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(ids) or vectors.shape[1] == 0:
        raise EvaluationError(f"{where}: got vectors of shape {vectors.shape} for {len(ids)} tracks, wanted (n, d)")
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        raise EvaluationError(f"{where}: {bad.sum()} vectors hold NaN or infinity: {_listed(ids[bad])}; leave them out")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)  # a float32 square is infinite from 2e19 on
    if (lengths == 0).any():
        raise EvaluationError(f"{where}: {(lengths == 0).sum()} vectors are all zeros: {_listed(ids[lengths == 0])}")
    return (vectors / lengths[:, None]).astype(np.float32)


def _column(values: Sequence[str | None] | None, n: int) -> np.ndarray:
    if values is None:
        return np.full(n, "", dtype=object)
    unknown = (value is None or value != value for value in values)  # NaN is what differs from itself
    texts = ["" if nothing else str(value).strip() for nothing, value in zip(unknown, values, strict=True)]
    return np.array(texts, dtype=object)


def _listed(ids: np.ndarray) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(map(str, ids[:SHOWN])) + more
