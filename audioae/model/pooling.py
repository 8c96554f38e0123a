"""From the embeddings of clips to the embedding of a track.

Conventions
-----------
- A track's embedding is the mean of its clips, scaled to length 1, without whitening.
- The mean may have *parts* (`heads.py`), units and weight of each. Then each part is scaled to a length of its own, in
  proportion to its weight, and the cosine of two tracks is the mean of the parts' cosines, weighted by weight^2.
- The spread of a track's clips is measured on the embeddings as they are.

Why parts have lengths of their own: learned units agree between the clips of a track, because they are trained to, and
descriptors do not, so in a mean over clips that differ they cancel out. Without it, the descriptors count less the more
a track changes, and more in a track that is unusual (docs/embeddings.md).
"""

from collections.abc import Sequence

import numpy as np

from audioae.constants import EMBEDDING_DIM
from audioae.errors import ModelError

Parts = Sequence[tuple[int, float]]


def to_unit(vectors: np.ndarray, parts: Parts = ()) -> np.ndarray:
    """Scale vectors (n, d) to length 1, and each part to its share of it; float64.

    >>> to_unit(np.array([[3.0, 4.0, 0.1]]), parts=[(2, 0.75), (1, 1.0)]).round(2).tolist()
    [[0.36, 0.48, 0.8]]
    """
    vectors = vectors.astype(np.float64)
    if parts:
        ends = np.cumsum([n for n, _ in parts])[:-1]
        split = zip(np.split(vectors, ends, axis=1), parts, strict=True)
        vectors = np.concatenate([weight * to_unit(part) for part, (_, weight) in split], axis=1)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def pool_track(embeddings: np.ndarray, parts: Parts = ()) -> tuple[np.ndarray, float]:
    """Pool clips (n, 128) to a track's embedding (128,), of length 1, and the `spread` of its clips.

    The spread is 1 - mean cosine of the clips to their mean; it is 0 if all clips sound the same.

    Raises
    ------
    ModelError
        If there is no clip.

    >>> track, spread = pool_track(np.ones((2, 128), np.float32))
    >>> round(float(np.linalg.norm(track)), 5), abs(round(spread, 5))
    (1.0, 0.0)
    """
    if embeddings.ndim != 2 or len(embeddings) == 0:
        raise ModelError(f"pool_track: got shape {embeddings.shape}, wanted (n, {EMBEDDING_DIM}) with n at least 1")
    mean = embeddings.mean(axis=0, keepdims=True, dtype=np.float64)
    spread = 1.0 - np.mean(to_unit(embeddings) @ to_unit(mean)[0])
    return to_unit(mean, parts)[0].astype(np.float32), float(spread)


def pool_tracks(embeddings: np.ndarray, track: np.ndarray, parts: Parts = ()) -> tuple[np.ndarray, np.ndarray]:
    """Pool clip embeddings to track embeddings (n, 128) and spreads (n,); `track` numbers the tracks from 0 to n - 1.

    >>> pool_tracks(np.eye(2, 128, dtype=np.float32), np.array([1, 0]))[0].argmax(axis=1).tolist()
    [1, 0]
    """
    order = np.argsort(track, kind="stable")
    ends = np.flatnonzero(np.diff(track[order])) + 1
    pooled = [pool_track(clips, parts) for clips in np.split(embeddings[order], ends)]
    return np.stack([vector for vector, _ in pooled]), np.array([spread for _, spread in pooled])
