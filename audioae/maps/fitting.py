"""Fit a map to a sample of the tracks: their places and regions, like those of the last map where there is one.

Conventions
-----------
- Rows of a `FittedMap` are those of its sample, in the order of the embeddings. A track of the last map starts at its
  place there; the others start among their neighbors. Then the layout is aligned with the last one.
"""

from typing import Any, NamedTuple

import numpy as np

from audioae.maps.alignment import align, diagonal, shift
from audioae.maps.config import MapConfig
from audioae.maps.layout import FRESH, SETTLED, fit_layout, neighbor_graph, place_among, principal_places
from audioae.maps.quality import neighbors_kept
from audioae.maps.regions import communities, keep_numbers, merge_small, nearest
from audioae.pipeline.index_neighbors import nearest_others
from audioae.search.embeddings import EmbeddingTable
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from audioae.search.recall import TIE, exact_neighbors

FEWEST = 4  # tracks; fewer stay where their principal components are
SMALLEST = 5  # tracks of a region
ENOUGH = 0.1  # of the sample must be on the last map, for the layout to start from there
BLOCK = 1 << 14  # queries at once


class LastMap(NamedTuple):
    """What the last map says of the sample.

    Attributes
    ----------
    places : np.ndarray, shape (n, 2), float32
        NaN where a track was not on it.
    region : np.ndarray, shape (n,), int64
        -1 where a track was not on it.
    next_region : int
        The first number that no map has used.
    same_model : bool
        Whether it was of embeddings of the same model: then its neighbors are still neighbors.
    """

    places: np.ndarray
    region: np.ndarray
    next_region: int = 0
    same_model: bool = False


def no_last_map(n: int) -> LastMap:
    """For the first map of a store."""
    return LastMap(np.full((n, 2), np.nan, np.float32), np.full(n, -1, np.int64))


class FittedMap:
    """A sample of tracks on the map, to place others among.

    Attributes
    ----------
    places : np.ndarray, shape (n, 2), float32
    region : np.ndarray, shape (n,), int64
    next_region : int
        The first number that no map has used.
    measured : dict
        `fitted`: tracks of the sample; `neighbors_kept`: share of the 10 nearest neighbors that are also nearest on the
        map; `shared`: tracks of the sample that the last map had; `median_shift`: how far the half of these moved that
        moved least, at most, as a share of the map's diagonal.
    """

    def __init__(self, sample: EmbeddingTable, config: MapConfig, last: LastMap):
        self._index = SearchIndex.build(sample, IndexConfig(k=config.n_neighbors, seed=config.seed))
        self._rows = sample.rows_of(self._index.ids)
        self._k = min(config.n_neighbors, len(sample) - 1)
        rows, distances = self._neighbors(sample.embeddings)
        graph = neighbor_graph(rows, distances, config.seed) if len(sample) >= FEWEST else None
        shared = ~np.isnan(last.places[:, 0])
        places = _lay_out(sample.embeddings, graph, config, last, shared)
        self.places = align(places[shared], last.places[shared]).apply(places)
        region = np.zeros(len(sample), np.int64) if graph is None else communities(graph, config.seed)
        region = merge_small(region, self.places, config.min_region or max(SMALLEST, len(sample) // 100))
        self.region, self.next_region = keep_numbers(region, last.region, last.next_region)
        self.measured = {"fitted": len(sample), "neighbors_kept": neighbors_kept(self.places, rows)}
        self.measured |= _movement(self.places, last.places, shared)

    def place(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places, shape (n, 2), and regions, shape (n,), of other tracks, from their embeddings, shape (n, dim)."""
        if not len(vectors):
            return np.empty((0, 2), np.float32), np.empty(0, np.int64)
        rows, distances = self._nearest(vectors)
        placed = place_among(rows, distances, self.places)
        return placed, self.region[nearest(self.places, placed)]

    def _neighbors(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the nearest others of each track of the sample, and the distances to them."""
        found = [
            nearest_others(self._index, vectors[own], own, self._rows, self._k)
            for own in _blocks(np.arange(len(vectors)))
        ]
        scores, rows = (np.concatenate(values) for values in zip(*found, strict=True))
        return rows, _distances(scores)

    def _nearest(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the tracks of the sample that are nearest to others, and the distances to them."""
        found = [self._index.search(block, max(self._k, 1)) for block in _blocks(vectors)]
        scores, rows = (np.concatenate(values) for values in zip(*found, strict=True))
        return np.where(rows < 0, -1, self._rows[rows]), _distances(scores)


def _lay_out(vectors: np.ndarray, graph: Any, config: MapConfig, last: LastMap, shared: np.ndarray) -> np.ndarray:
    """Places of the sample, not aligned yet."""
    again = bool(shared.mean() >= ENOUGH)
    start = _start_again(vectors, last.places, shared, config.n_neighbors) if again else principal_places(vectors)
    if graph is None:
        return start
    rate = SETTLED if again and last.same_model else FRESH
    return fit_layout(graph, start, min_dist=config.min_dist, seed=config.seed, rate=rate)


def _start_again(vectors: np.ndarray, last: np.ndarray, shared: np.ndarray, k: int) -> np.ndarray:
    """The last places of tracks; of those that have none, places among their nearest neighbors that have one."""
    start = last.copy()
    if not shared.all():
        scores, rows = exact_neighbors(vectors[shared], vectors[~shared], min(k, int(shared.sum())))
        start[~shared] = place_among(rows, _distances(scores), last[shared])
    return start


def _movement(places: np.ndarray, last: np.ndarray, shared: np.ndarray) -> dict[str, Any]:
    moved = shift(places[shared], last[shared], diagonal(places))
    median = {"median_shift": round(float(np.median(moved)), 4)} if len(moved) else {}
    return {"shared": int(shared.sum()), **median}


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    return np.split(rows, range(BLOCK, len(rows), BLOCK))


def _distances(cosines: np.ndarray) -> np.ndarray:
    """Between unit vectors, float32; 0 where they are equal but for rounding."""
    return np.sqrt(2 - 2 * np.where(cosines > 1 - TIE, 1, np.maximum(cosines, -1))).astype(np.float32)
