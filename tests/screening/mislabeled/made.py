"""Label models of given vectors, with exact neighbors."""

import numpy as np

from audioae.screening.mislabeled.grouped_model import LabelNeighbors
from audioae.screening.mislabeled.label_model import LabelModel
from audioae.search.recall import exact_neighbors

NONE = -1


def label_model(
    vectors: np.ndarray, n_labels: int, k: int = 10, recordings=None, artists=None, depth: int = 40
) -> LabelModel:
    n = len(vectors)
    scores, rows = exact_neighbors(vectors, vectors, min(depth, n - 1) + 1)
    own = rows == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    neighbors = LabelNeighbors(scores[~own].reshape(n, -1), rows[~own].reshape(n, -1))
    recordings = np.arange(n) if recordings is None else recordings
    artists = np.full(n, NONE) if artists is None else artists
    return LabelModel(vectors, neighbors, recordings, artists, n_labels, k)
