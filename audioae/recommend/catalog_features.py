"""What recommendations for any listener need of a catalog: features of indexed tracks, read when they are needed.

Convention: rows are those of the index; what is kept is the same for all listeners of one generation.
"""

from functools import cached_property

import numpy as np
import pyarrow.compute as pc  # its functions are made at import

from audioae.library.generation import Generation
from audioae.recommend.item_features import item_features
from audioae.recommend.ranking import BACKGROUND
from audioae.recommend.tastes import SAMPLE, same_taste_distance
from audioae.spacing import evenly_spaced


class CatalogFeatures:
    """Features of one generation.

    Parameters
    ----------
    library : Generation
    """

    def __init__(self, library: Generation):
        self.library = library

    def features(self, rows: np.ndarray) -> np.ndarray:
        """Item features of some rows, shape (n, d), float32; the first `index.dim` columns are the sound."""
        artists, labels = (self._names(name, rows) for name in ("artist", "label"))
        return item_features(unit(self.library.index.embeddings(rows)), artists, labels)

    def with_name(self, name: str, like: np.ndarray) -> np.ndarray:
        """Which rows have the label or artist (`name`) of one of the rows `like`, shape (n_index,), bool."""
        codes, n_codes = self._codes[name], len(self.library.columns.vocabularies[name])
        wanted = np.zeros(n_codes + 1, bool)  # the last is for -1
        wanted[codes[like]] = True
        wanted[-1] = False
        return wanted[codes]

    def without_name(self, name: str) -> np.ndarray:
        """Which rows have no label or no artist (`name`), shape (n_index,), bool."""
        return self._codes[name] < 0

    @cached_property
    def is_original(self) -> np.ndarray:
        """Which rows are no copies of others, shape (n_index,), bool."""
        group = self.library.alignment.group
        return group == np.arange(len(group))

    @cached_property
    def distance(self) -> float:
        """The cosine distance below which two tracks belong to one taste."""
        return same_taste_distance(self.features(self._by_id[evenly_spaced(len(self._by_id), SAMPLE)]))

    @cached_property
    def background(self) -> np.ndarray:
        """Features of the tracks that scores are compared with, shape (n, d)."""
        return self.features(self._by_id[evenly_spaced(len(self._by_id), BACKGROUND)])

    @cached_property
    def _by_id(self) -> np.ndarray:
        """Rows in the order of their track_ids, in which a `Recommender` has its tracks."""
        return pc.array_sort_indices(self.library.index.ids).to_numpy()

    @cached_property
    def _codes(self) -> dict[str, np.ndarray]:
        """The code of each row's label and artist, each of shape (n_index,), int32; -1 where unknown."""
        rows = self.library.alignment.catalog_row
        return {name: self.library.columns.codes[name][rows] for name in ("artist", "label")}

    def _names(self, name: str, rows: np.ndarray) -> np.ndarray:
        column = self.library.lookup.cells.texts[name]
        return np.array([(column[row] or "").strip() for row in self.library.alignment.catalog_row[rows].tolist()])


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
