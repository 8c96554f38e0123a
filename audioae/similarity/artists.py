"""Similarity of artists: each is the mean of the embeddings of its tracks.

Conventions
-----------
- An artist is what the tag says, letter by letter; a name is found in any case if only one artist has it so. Tracks
  without an artist belong to none.
- A score is the cosine of two means: 1 for the same sound, higher = closer.
- The means are computed once per generation, in blocks of embeddings: memory beside them is constant.

Why the mean, and no mixture model per artist: on unit vectors the cosine of two means is the mean cosine between the
tracks of one artist and those of the other, up to a factor for how alike each artist's own tracks are. A catalog's
median artist has few tracks, too few to fit more.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import SearchError
from audioae.library.columns import TextColumn, one_chunk
from audioae.library.generation import Generation
from audioae.library.records import Record

BLOCK = 1 << 16  # embeddings in memory


@dataclass(frozen=True, eq=False)
class SimilarArtist(Record):
    """An artist: `rank` from 1, `score` the cosine of the means, `n_tracks` with an embedding."""

    rank: int
    score: float
    artist: str
    n_tracks: int


class Artists:
    """The artists of a generation and the means of their tracks.

    Parameters
    ----------
    library : Generation

    Attributes
    ----------
    means : np.ndarray, shape (n_artists, dim), float32, rows of length 1
    """

    def __init__(self, library: Generation):
        self._library = library
        alignment = library.alignment
        encoded = one_chunk(library.tracks["artist"]).dictionary_encode()
        number = pc.fill_null(encoded.indices, -1).to_numpy()[alignment.by_index]
        order = np.argsort(number, kind="stable")
        order = order[np.searchsorted(number[order], 0) :]  # unknown artists came first
        self._rows = alignment.by_index[order]
        present, self._starts = np.unique(number[order], return_index=True)
        self._counts = np.diff(self._starts, append=len(order))
        self._names = encoded.dictionary.take(present)
        self._texts = TextColumn(self._names)
        self.means = self._means()

    def __len__(self) -> int:
        return len(self._starts)

    def similar(self, artist: str, k: int = 10, *, among: np.ndarray | None = None) -> list[SimilarArtist]:
        """The `k` artists that sound most like one, closest first; the artist itself is none of them.

        Parameters
        ----------
        artist : str
        k : int
        among : np.ndarray, shape (n_tracks,), bool, optional
            Catalog rows; only artists with a track among them.

        Raises
        ------
        SearchError
            If no artist, or several, have this name.
        """
        if k < 1:
            raise SearchError(f"k={k}: wanted at least 1 artist")
        own = self.find(artist)
        scores = self.means @ self.means[own]
        open_ = np.ones(len(self), bool) if among is None else np.logical_or.reduceat(among[self._rows], self._starts)
        open_[own] = False
        rows = np.flatnonzero(open_)
        if len(rows) > k:
            rows = rows[np.argpartition(-scores[rows], k - 1)[:k]]
        best = rows[np.argsort(-scores[rows], kind="stable")]
        return [
            SimilarArtist(rank, float(scores[i]), str(self._texts[i]), int(self._counts[i]))
            for rank, i in enumerate(best.tolist(), 1)
        ]

    def closest_tracks(self, artist: str, other: str, k: int, *, among: np.ndarray | None = None) -> list[int]:
        """Catalog rows of the `k` tracks of `artist` that sound most like `other`, closest first.

        Parameters and errors are those of `similar`.
        """
        rows, target = self.tracks_of(artist), self.means[self.find(other)]
        rows = rows if among is None else rows[among[rows]]
        scores = self._library.index.embeddings(self._library.alignment.index_row[rows]) @ target
        return rows[np.argsort(-scores, kind="stable")[:k]].tolist()

    def tracks_of(self, artist: str) -> np.ndarray:
        """Catalog rows of the artist's tracks that have an embedding, shape (n,), int64. Raises as `find` does."""
        own = self.find(artist)
        return self._rows[self._starts[own] : self._starts[own] + self._counts[own]]

    def find(self, artist: str) -> int:
        """The row of an artist in `means`.

        Raises
        ------
        SearchError
            If no artist, or several, have this name.
        """
        if (row := pc.index(self._names, artist).as_py()) >= 0:
            return row
        rows = np.flatnonzero(pc.equal(pc.utf8_lower(self._names), artist.lower()).to_numpy(zero_copy_only=False))
        if len(rows) == 1:
            return int(rows[0])
        several = ", ".join(repr(self._texts[i]) for i in rows.tolist())
        found = f"{len(rows)} artists are written like {artist!r}: {several}" if several else f"no artist {artist!r}"
        raise SearchError(f"{found} among the {len(self)} with an embedding; give the name as the tags have it")

    def _means(self) -> np.ndarray:
        index, index_row = self._library.index, self._library.alignment.index_row[self._rows]
        sums = np.zeros((len(self), index.dim))
        for start in range(0, len(index_row), BLOCK):
            embeddings = index.embeddings(index_row[start : start + BLOCK])
            first = int(np.searchsorted(self._starts, start, "right")) - 1
            last = int(np.searchsorted(self._starts, start + len(embeddings)))
            cuts = np.maximum(self._starts[first:last] - start, 0)
            sums[first:last] += np.add.reduceat(embeddings, cuts, axis=0, dtype=np.float64)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return (sums / np.maximum(lengths, 1e-12)).astype(np.float32)
