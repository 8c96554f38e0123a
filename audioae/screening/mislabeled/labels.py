"""The labels that a catalog claims: whose can be judged, and the nearest others that may judge them."""

# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.library.generation import Generation
from audioae.pipeline.index_neighbors import BLOCK
from audioae.screening.mislabeled.label_model import LabelNeighbors
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
        A number that copies share, near duplicates too.
    artist, album : np.ndarray, shape (n,), int
        -1 where they are not known.
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
    """Whatever can be screened, and a sentence on each reason why something cannot."""
    tracks, around = library.tracks, library.alignment
    texts = {
        name: pc.utf8_trim_whitespace(pc.coalesce(tracks[name], pa.scalar(""))).to_numpy()
        for name in ("label", "artist", "album")
    }
    labeled, embedded = texts["label"] != "", around.index_row >= 0
    omitted = []
    if n := int((~labeled).sum()):
        omitted.append(f"{n} of {len(labeled)} tracks have no label")
    if n := int((labeled & ~embedded).sum()):
        omitted.append(f"{n} tracks with a label have no embedding: rejected or pending (audioae coverage)")
    rows = np.flatnonzero(labeled & embedded)
    index_row = around.index_row[rows]
    pairs = np.char.add(np.char.add(texts["artist"].astype(str), "\0"), texts["album"].astype(str))
    albums = np.where(texts["album"] != "", np.unique(pairs, return_inverse=True)[1], -1)
    return TrackLabels(
        track_ids=tracks["track_id"].to_numpy()[rows].astype(str),
        labels=texts["label"][rows].astype(str),
        index_row=index_row,
        recording=around.group[index_row],
        artist=np.where(texts["artist"] != "", around.artist, -1)[rows],
        album=albums[rows],
        artist_name=texts["artist"][rows],
        album_name=texts["album"][rows],
    ), omitted


def find_neighbors(index: SearchIndex, table: EmbeddingTable, index_row: np.ndarray, depth: int) -> LabelNeighbors:
    """The nearest others of tracks, as positions among these tracks; of those that share an index row the first.

    Parameters
    ----------
    index : SearchIndex
    table : EmbeddingTable
        What it was built from.
    index_row : np.ndarray, shape (n,), int64
        Of each track.
    depth : int
    """
    voters, first, back = np.unique(index_row, return_index=True, return_inverse=True)
    position = np.full(len(index), -1, np.int32)
    position[voters] = first
    among = voters if len(voters) < len(index) else None
    table_row, depth = table.rows_of(index.ids)[voters], min(depth, len(voters) - 1)
    scores, rows = np.empty((len(voters), depth), np.float32), np.empty((len(voters), depth), np.int32)
    for start in range(0, len(voters), BLOCK):
        block = slice(start, start + BLOCK)
        cosines, found = index.search(table.embeddings[table_row[block]], depth + 1, among)
        own = found == voters[block, None]
        own[~own.any(axis=1), -1] = True  # not found, among many of one embedding: the last makes room
        scores[block] = cosines[~own].reshape(-1, depth)
        found = found[~own].reshape(-1, depth)
        rows[block] = np.where(found >= 0, position[found], -1)
    return LabelNeighbors(scores[back], rows[back])
