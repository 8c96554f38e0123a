"""The labels of a catalog: which tracks can be checked, and which other tracks are nearest to them."""

# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.library.generation import Generation
from audioae.pipeline.index_neighbors import BLOCK
from audioae.screening.mislabeled.label_model import LabelNeighbors
from audioae.screening.text import count
from audioae.search.embeddings import EmbeddingTable
from audioae.search.index import SearchIndex


@dataclass(frozen=True, eq=False)
class TrackLabels:
    """Columns of the tracks with a label and an embedding, in the order of the catalog.

    Parameters
    ----------
    track_ids, labels, artist_name, album_name : np.ndarray, shape (n,), str
        "" where the artist or the album is not known.
    index_row : np.ndarray, shape (n,), int64
        Exact duplicates share one.
    recording : np.ndarray, shape (n,), int
        A number that exact and near duplicates share.
    artist, album : np.ndarray, shape (n,), int
        -1 where not known.
    """

    track_ids: np.ndarray
    labels: np.ndarray
    index_row: np.ndarray
    recording: np.ndarray
    artist: np.ndarray
    album: np.ndarray
    artist_name: np.ndarray
    album_name: np.ndarray

    def take(self, rows: np.ndarray) -> "TrackLabels":
        return TrackLabels(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def read_labels(library: Generation) -> tuple[TrackLabels, list[str]]:
    """The tracks that can be checked, and a sentence for each reason why others cannot."""
    tracks, alignment = library.tracks, library.alignment
    texts = {
        name: pc.utf8_trim_whitespace(pc.coalesce(tracks[name], pa.scalar(""))).to_numpy()
        for name in ("label", "artist", "album")
    }
    labeled, embedded = texts["label"] != "", alignment.index_row >= 0
    omitted = []
    if n := int((~labeled).sum()):
        omitted.append(f"{n} of {count(len(labeled), 'track')} without a label")
    if n := int((labeled & ~embedded).sum()):
        omitted.append(f"{count(n, 'track')} with a label but no embedding: rejected or pending (see audioae coverage)")
    rows = np.flatnonzero(labeled & embedded)
    index_row = alignment.index_row[rows]
    pairs = np.char.add(np.char.add(texts["artist"].astype(str), "\0"), texts["album"].astype(str))
    albums = np.where(texts["album"] != "", np.unique(pairs, return_inverse=True)[1], -1)
    return TrackLabels(
        track_ids=tracks["track_id"].to_numpy()[rows].astype(str),
        labels=texts["label"][rows].astype(str),
        index_row=index_row,
        recording=alignment.group[index_row],
        artist=np.where(texts["artist"] != "", alignment.artist, -1)[rows],
        album=albums[rows],
        artist_name=texts["artist"][rows],
        album_name=texts["album"][rows],
    ), omitted


def find_neighbors(index: SearchIndex, table: EmbeddingTable, index_row: np.ndarray, depth: int) -> LabelNeighbors:
    """The nearest other tracks of each track, as positions among these tracks.

    Tracks that share an index row are represented by the first of them.

    Parameters
    ----------
    index : SearchIndex
    table : EmbeddingTable
        The embeddings that `index` was built from.
    index_row : np.ndarray, shape (n,), int64
        Row in the index of each track.
    depth : int
        Number of neighbors to look up.
    """
    voters, first, inverse = np.unique(index_row, return_index=True, return_inverse=True)
    position = np.full(len(index), -1, np.int32)
    position[voters] = first
    among = voters if len(voters) < len(index) else None
    table_row, depth = table.rows_of(index.ids)[voters], min(depth, len(voters) - 1)
    scores, rows = np.empty((len(voters), depth), np.float32), np.empty((len(voters), depth), np.int32)
    for start in range(0, len(voters), BLOCK):
        block = slice(start, start + BLOCK)
        cosines, hits = index.search(table.embeddings[table_row[block]], depth + 1, among)
        own = hits == voters[block, None]
        own[~own.any(axis=1), -1] = True  # not found among many identical embeddings: drop the last hit instead
        scores[block] = cosines[~own].reshape(-1, depth)
        hits = hits[~own].reshape(-1, depth)
        rows[block] = np.where(hits >= 0, position[hits], -1)
    return LabelNeighbors(scores[inverse], rows[inverse])
