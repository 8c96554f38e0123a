"""The tracks that a playlist is made from: all that have an embedding, or only those near the path.

Conventions
-----------
- `values` holds what is known of the tracks without analyzing audio: energy in dB and, if asked for, the tempos in BPM
  that earlier playlists saved. NaN where unknown.
- Groups are numbers of recordings, which copies share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.catalog.paths import paths_of
from audioae.library.duplicates import known_copies
from audioae.library.generation import Generation
from audioae.library.track_ids import TrackIds
from audioae.library.track_metadata import make_metadata
from audioae.library.track_vectors import TrackVectors, vectors_from_store
from audioae.playlists.tempos import Tempos


@dataclass(frozen=True)
class PlaylistSource:
    """Tracks with their embeddings.

    Parameters
    ----------
    vectors : TrackVectors
        A row of a playlist is a row of these.
    groups : np.ndarray, shape (n,), int
    values : mapping of "energy" or "tempo" to np.ndarray, shape (n,), float64
    """

    vectors: TrackVectors
    groups: np.ndarray
    values: Mapping[str, np.ndarray]


def all_tracks(library: Generation) -> PlaylistSource:
    """All tracks with an embedding, indexed or not, and their energy."""
    vectors = vectors_from_store(library.store, library.embeddings_ref)
    ids = pa.array(vectors.metadata.ids, pa.string())
    return PlaylistSource(vectors, _recordings(library, ids), {"energy": stored_energy(library, ids)})


def tracks_at(library: Generation, index_rows: np.ndarray, values: Mapping[str, np.ndarray]) -> PlaylistSource:
    """The tracks in some rows of the index, in the order of their track_ids.

    Parameters
    ----------
    library : Generation
    index_rows : np.ndarray, shape (n,), int64
        At least two, all different.
    values : mapping of str to np.ndarray, shape (n_index,)
        Of all rows of the index.
    """
    ids = library.index.ids.take(pa.array(index_rows))
    index_rows = index_rows[pc.array_sort_indices(ids).to_numpy()]
    rows = library.tracks.take(pa.array(library.alignment.catalog_row[index_rows]))
    embeddings = library.index.embeddings(index_rows)
    titles = zip(rows["title"].to_pylist(), rows["uri"].to_pylist(), strict=True)
    vectors = TrackVectors(
        str(library.embeddings_ref),
        embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True),
        make_metadata(rows["track_id"].to_pylist(), artists=rows["artist"].to_pylist()),
        [title or Path(uri).stem for title, uri in titles],
        paths_of(rows),
    )
    known = {name: column[index_rows] for name, column in values.items()}
    return PlaylistSource(vectors, library.alignment.group[index_rows], known)


def stored_energy(library: Generation, ids: pa.StringArray) -> np.ndarray:
    """The mean level of each track in dB, shape (n,), float64; NaN where it was not measured."""
    health = library.store.read(
        library.store.manifest(library.embeddings_ref).parent("health"), ["track_id", "rms_dbfs"]
    )
    rows = pc.index_in(ids, value_set=health["track_id"])
    return pc.cast(pc.take(health["rms_dbfs"], rows), pa.float64()).to_numpy().copy()


def stored_tempos(library: Generation, contents: pa.ChunkedArray) -> np.ndarray:
    """The saved tempo of each content hash in BPM, shape (n,), float64; NaN where none is known."""
    known = Tempos(library.store, library.mels_config).known
    rows = pc.index_in(contents, value_set=pa.array([*known], pa.string()))
    tempos = pa.array([*known.values()], pa.float64())
    return pc.fill_null(pc.take(tempos, rows), np.nan).to_numpy().copy()


def _recordings(library: Generation, ids: pa.StringArray) -> np.ndarray:
    """A number per recording, shape (n,), which copies share."""
    keepers = known_copies(library.store, library.embeddings_ref).keepers
    place = TrackIds(ids)
    numbers = np.arange(len(ids))
    copies = place.rows_of([*keepers])
    _, keeper = np.unique([*keepers.values()], return_inverse=True)
    rows = place.rows_of([*keepers.values()])
    rows = np.where(rows >= 0, rows, len(numbers) + keeper)  # copies of a track without an embedding
    numbers[copies[copies >= 0]] = rows[copies >= 0]
    return numbers
