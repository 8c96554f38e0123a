"""The labels of a catalog: which tracks can be checked, and which other tracks are nearest to them."""

# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.library.generation import Generation
from audioae.pipeline.index_neighbors import BLOCK
from audioae.screening.mislabeled.grouped_model import LabelNeighbors
from audioae.screening.text import count
from audioae.search.embeddings import EmbeddingTable
from audioae.search.index import SearchIndex


class Names:
    """Texts of some catalog rows, read when they are asked for: "" where there is none.

    Parameters
    ----------
    column : pa.ChunkedArray
    rows : np.ndarray, shape (n,), int
    """

    def __init__(self, column: pa.ChunkedArray, rows: np.ndarray):
        self._column, self._rows = column, rows

    def __getitem__(self, at: Any) -> Any:
        """The text at a position, or the texts of some positions."""
        if isinstance(at, np.ndarray):
            return Names(self._column, self._rows[at])
        return (self._column[int(self._rows[at])].as_py() or "").strip()


@dataclass(frozen=True, eq=False)
class TrackLabels:
    """Columns of the tracks with a label and an embedding, in the order of the catalog.

    Parameters
    ----------
    track_ids : pa.StringArray, length n
    label : np.ndarray, shape (n,), int
        Positions in `names`.
    names : np.ndarray, shape (n_names,), str
        Labels in ascending order, perhaps more than occur.
    index_row : np.ndarray, shape (n,), int
        Exact duplicates share one.
    recording : np.ndarray, shape (n,), int
        A number that exact and near duplicates share.
    artist, album : np.ndarray, shape (n,), int
        -1 where not known.
    artist_name, album_name : sequence of str, length n
        "" where not known.
    """

    track_ids: pa.StringArray
    label: np.ndarray
    names: np.ndarray
    index_row: np.ndarray
    recording: np.ndarray
    artist: np.ndarray
    album: np.ndarray
    artist_name: Any
    album_name: Any

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: np.ndarray) -> "TrackLabels":
        columns = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return TrackLabels(track_ids=self.track_ids.take(pa.array(rows)), names=self.names, **columns)


_ARRAYS = ("label", "index_row", "recording", "artist", "album", "artist_name", "album_name")


def read_labels(library: Generation) -> tuple[TrackLabels, list[str]]:
    """The tracks that can be checked, and a sentence for each reason why others cannot."""
    tracks, alignment = library.tracks, library.alignment
    label, names = _encoded(tracks["label"])
    labeled, embedded = names[label] != "" if len(names) else np.zeros(len(label), bool), alignment.index_row >= 0
    omitted = []
    if n := int((~labeled).sum()):
        omitted.append(f"{n} of {count(len(labeled), 'track')} without a label")
    if n := int((labeled & ~embedded).sum()):
        omitted.append(f"{count(n, 'track')} with a label but no embedding: rejected or pending (see audioae coverage)")
    rows = np.flatnonzero(labeled & embedded)
    (artist, artists), (album, albums) = _encoded(tracks["artist"]), _encoded(tracks["album"])
    numbers = np.unique(artist.astype(np.int64) * max(len(albums), 1) + album, return_inverse=True)[1]
    index_row = alignment.index_row[rows]
    return TrackLabels(
        track_ids=tracks["track_id"].take(pa.array(rows)).combine_chunks(),
        label=label[rows],
        names=names,
        index_row=index_row,
        recording=alignment.group[index_row],
        artist=np.where(artists[artist[rows]] != "", alignment.artist[rows], -1),
        album=np.where(albums[album[rows]] != "", numbers[rows], -1),
        artist_name=Names(tracks["artist"], rows),
        album_name=Names(tracks["album"], rows),
    ), omitted


def _encoded(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The texts of a column without spaces around them, ascending, and the position of each row's among them, int32."""
    chunks = [pc.fill_null(chunk, "").dictionary_encode() for chunk in column.chunks]
    unified = pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string())).unify_dictionaries()
    if not unified.num_chunks:
        return np.empty(0, np.int32), np.empty(0, np.str_)
    texts = pc.utf8_trim_whitespace(unified.chunk(0).dictionary).to_numpy(zero_copy_only=False).astype(np.str_)
    names, place = np.unique(texts, return_inverse=True)
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in unified.chunks])
    return place.astype(np.int32)[codes], names


@dataclass(frozen=True, eq=False)
class Vectors:
    """Embeddings by row of an index: from the table that it was built from, or else the index's own."""

    index: SearchIndex
    table: EmbeddingTable | None

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Embeddings of index rows, shape (n, dim), float32."""
        if self.table is None:
            return self.index.embeddings(rows)
        return self.table.embeddings[self._table_rows[rows]]

    @cached_property
    def _table_rows(self) -> np.ndarray:
        return np.empty(0, np.int64) if self.table is None else self.table.rows_of(self.index.ids)


def find_neighbors(vectors: Vectors, index_row: np.ndarray, depth: int) -> LabelNeighbors:
    """The nearest other tracks of each track, as positions among these tracks.

    Tracks that share an index row are represented by the first of them.

    Parameters
    ----------
    vectors : Vectors
    index_row : np.ndarray, shape (n,), int64
        Row in the index of each track.
    depth : int
        Number of neighbors to look up.
    """
    index = vectors.index
    voters, first, inverse = np.unique(index_row, return_index=True, return_inverse=True)
    position = np.full(len(index), -1, np.int32)
    position[voters] = first
    among = voters if len(voters) < len(index) else None
    depth = min(depth, len(voters) - 1)
    scores, rows = np.empty((len(voters), depth), np.float32), np.empty((len(voters), depth), np.int32)
    for start in range(0, len(voters), BLOCK):
        block = slice(start, start + BLOCK)
        cosines, hits = index.search(vectors.of(voters[block]), depth + 1, among)
        own = hits == voters[block, None]
        own[~own.any(axis=1), -1] = True  # not found among many identical embeddings: drop the last hit instead
        scores[block] = cosines[~own].reshape(-1, depth)
        hits = hits[~own].reshape(-1, depth)
        rows[block] = np.where(hits >= 0, position[hits], -1)
    return LabelNeighbors(scores[inverse], rows[inverse])
