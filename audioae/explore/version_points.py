"""Where the tracks of a map are on the map of another version: places in the same rows, brought onto the same map.

Conventions
-----------
- If the other version has a map, its places are moved, turned, mirrored and scaled as a whole so that the tracks that
  both maps have are as close to each other as possible (Procrustes).
- If it has none, a track is put among its nearest neighbors in the other version, at the weighted mean of the places
  that they have on this map: what is far apart here and close there moves together. Of large catalogs, the neighbors
  are looked for among a random sample.
- A track that the other version does not have has no place: NaN.
"""

from typing import NamedTuple

import numpy as np

from audioae.evaluation.shared_tracks import SharedTracks, embeddings_of
from audioae.explore.track_map import TrackMap
from audioae.maps.reader import find_map, open_map
from audioae.search.recall import exact_neighbors
from audioae.store.manifest import DatasetRef

NEIGHBORS = 5
PAIRS = 4e9  # of tracks to compare, at most
MIN_LANDMARKS = 1000
BLOCK = 1 << 16


class VersionPoints(NamedTuple):
    """x and y of each row, shape (n, 2), float32, and where they are from: "map" or "neighbors"."""

    points: np.ndarray
    source: str


def version_points(opened: TrackMap, version: DatasetRef) -> VersionPoints:
    """The places of a map's tracks in a version of `index` or `embeddings`.

    Raises
    ------
    EvaluationError
        If it is a version of something else.
    """
    store = opened.library.store
    ref = find_map(store, version) if version.dataset == "index" else None
    if ref is None:
        return VersionPoints(_among_neighbors(opened, version), "neighbors")
    points = _on_its_map(opened, ref)
    return VersionPoints(aligned(points, opened.points), "map")


def aligned(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Bring `points` onto `target` by one similarity; both of shape (n, 2), rows with NaN do not count.

    >>> square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    >>> bool(np.allclose(aligned(3 * square[:, ::-1] + 7, square), square))
    True
    """
    both = np.isfinite(points).all(axis=1) & np.isfinite(target).all(axis=1)
    if not both.any():
        return points.astype(np.float32)
    center, aim = points[both].mean(axis=0, dtype=np.float64), target[both].mean(axis=0, dtype=np.float64)
    moved, wanted = points[both] - center, target[both] - aim
    left, strengths, right = np.linalg.svd(moved.T @ wanted)
    spread = float((moved**2).sum())
    scale = strengths.sum() / spread if spread > 0 else 1.0
    return ((points - center) @ (left @ right) * scale + aim).astype(np.float32)


def _on_its_map(opened: TrackMap, ref: DatasetRef) -> np.ndarray:
    """The places on another map, in the rows of this one."""
    other = open_map(opened.library.store, ref)
    track_ids, catalog_row = opened.library.columns.tracks["track_id"], opened.rows.catalog_row
    points = np.full((len(opened), 2), np.nan, np.float32)
    for start in range(0, len(opened), BLOCK):
        block = slice(start, start + BLOCK)
        rows = other.ids.rows_of(track_ids.take(catalog_row[block]).combine_chunks())
        points[block][rows >= 0] = other.points[rows[rows >= 0]]
    return points


def _among_neighbors(opened: TrackMap, version: DatasetRef) -> np.ndarray:
    """The weighted mean of the places of each track's nearest neighbors in another version."""
    library = opened.library
    shared = SharedTracks(library.store, library.embeddings_ref, embeddings_of(library.store, version))
    catalog_row = np.concatenate(
        [
            np.empty(0, np.int64),
            *(library.columns.ids.rows_of(shared.ids[i : i + BLOCK]) for i in range(0, len(shared), BLOCK)),
        ]
    )
    rows = np.where(catalog_row >= 0, opened.rows.row[catalog_row], -1)
    points = np.full((len(opened), 2), np.nan, np.float32)
    on_map = np.flatnonzero(rows >= 0)
    if not len(on_map):
        return points
    n_landmarks = int(min(len(on_map), max(PAIRS / len(on_map), MIN_LANDMARKS)))
    landmarks = np.sort(np.random.default_rng(0).choice(on_map, n_landmarks, replace=False))
    vectors, places = shared.vectors(1, landmarks), opened.points[rows[landmarks]]
    for queries, numbers in shared.blocks(1):
        kept = rows[numbers] >= 0
        scores, found = exact_neighbors(vectors, queries[kept], NEIGHBORS + 1)
        weights = np.where((found >= 0) & (landmarks[found] != numbers[kept, None]), scores.clip(min=1e-6), 0)
        weights[:, NEIGHBORS] *= (weights[:, :NEIGHBORS] > 0).sum(axis=1) < NEIGHBORS  # in the place of itself
        total = weights.sum(axis=1, keepdims=True)
        mean = (weights[:, :, None] * places[found]).sum(axis=1) / np.where(total > 0, total, np.nan)
        points[rows[numbers[kept]]] = mean
    return points
