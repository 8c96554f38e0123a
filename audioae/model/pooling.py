"""From the embeddings of clips to the embedding of a track.

Conventions
-----------
- A track's embedding is the mean of its clips, scaled to length 1, without whitening. Its clips count the same, or in
  proportion to their `loudness`.
- The mean may have *parts* (`heads.py`), units and weight of each. Then each part is scaled to a length of its own, in
  proportion to its weight, and the cosine of two tracks is the mean of the parts' cosines, weighted by weight^2.
  A track of one clip may have other weights; its cosine with a longer one is weighted by the product of both weights.
- The spread of a track's clips is measured on the embeddings as they are, and all clips count the same.

Why parts have lengths of their own: learned units agree between the clips of a track, because they are trained to, and
descriptors do not, so in a mean over clips that differ they cancel out. Without it, the descriptors count less the more
a track changes, and more in a track that is unusual (docs/embeddings.md).

Why loudness: a mel is relative to its clip's maximum, so noise between two sounds looks as important as the sounds.
"""

import numpy as np

from audioae.constants import EMBEDDING_DIM
from audioae.errors import ModelError
from audioae.model.heads import Parts

QUIETEST_DB = -60.0  # below the loudest clip of a track, clips all count the same


def loudness(level_db: np.ndarray) -> np.ndarray:
    """How loud the clips of a track are heard, relative to its loudest: weights (n,) from levels (n,) in dB.

    Loudness grows with the power of a sound to the exponent of .3: 10 dB more are heard as twice as loud. Source: S. S.
    Stevens, "The measurement of loudness", J. Acoust. Soc. Am. 27, 1955.

    >>> loudness(np.array([-30.0, -20.0, -200.0])).round(3).tolist()
    [0.501, 1.0, 0.016]
    """
    return 10 ** (0.3 * np.maximum(level_db - np.max(level_db, initial=-np.inf), QUIETEST_DB) / 10)


def mean_clip(embeddings: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The mean (128,) of clips (n, 128), float64; `weights` (n,) says how much each counts (None: all the same)."""
    return np.average(embeddings.astype(np.float64), axis=0, weights=weights)


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


def pool_track(
    embeddings: np.ndarray, parts: Parts = (), weights: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Pool clips (n, 128), weighted by `weights` (n,), to a track's embedding (128,) and the `spread` of its clips.

    The embedding has length 1. The spread is 1 - mean cosine of the clips to their mean without weights; it is 0 if all
    clips sound the same.

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
    spread = 1.0 - np.mean(to_unit(embeddings) @ to_unit(mean_clip(embeddings)[None])[0])
    return to_unit(mean_clip(embeddings, weights)[None], parts)[0].astype(np.float32), float(spread)
