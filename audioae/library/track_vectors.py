"""Vectors of tracks together with the tracks' metadata, read from a store.

Conventions
-----------
- Rows are sorted by track_id. With `max_tracks`, the rows taken are evenly spaced over the embeddings (None: all), and
  `omitted` says how many there are in total.
- `library.vector_files` reads the same from a file, and `library.truth` adds numbers to predict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audioae.catalog.paths import paths_of
from audioae.errors import EvaluationError
from audioae.library.track_metadata import Target, TrackMetadata, check_vectors
from audioae.pipeline.embeddings import read_embeddings, take_embeddings
from audioae.search.embeddings import EmbeddingTable
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import TRACKS

OWN = "model"
"""Name of the store's own vectors in a comparison with others."""

COLUMNS = ("label", "artist", "album", "split")


@dataclass(frozen=True)
class TrackVectors:
    """Vectors of tracks, with metadata.

    Parameters
    ----------
    name : str
        Name of the vectors, such as "embeddings@1a2b" or the file name.
    vectors : np.ndarray, shape (n, d), float32, rows of length 1
    metadata : TrackMetadata
    titles : sequence of str
    paths : sequence of str
        The files to open; empty if the location of the audio is unknown.
    omitted : tuple of str
        A sentence for each group of tracks that was left out.
    """

    name: str
    vectors: np.ndarray
    metadata: TrackMetadata
    titles: Sequence[str]
    paths: Sequence[str] = ()
    omitted: tuple[str, ...] = ()


def vectors_from_store(store: Store, embeddings: DatasetRef, max_tracks: int | None = None) -> TrackVectors:
    """Read one version of the embeddings, with the metadata of its catalog.

    Raises
    ------
    EvaluationError
        If a track is missing from the catalog, or fewer than two tracks have an embedding.
    """
    table, total = _chosen(store, embeddings, max_tracks)
    ids = table.track_ids
    columns = ["track_id", "uri", "path_bytes", "title", *COLUMNS]
    tracks = store.manifest(embeddings).parent("tracks")
    whole = len(table) == total
    catalog = store.read(tracks, columns) if whole else catalog_rows(store, tracks, ids, columns)
    rows = pc.index_in(ids, value_set=catalog["track_id"])
    if rows.null_count:
        missing = ids.filter(rows.is_null()).slice(0, 5).to_pylist()
        raise EvaluationError(
            f"{embeddings}: {rows.null_count} tracks are missing from its catalog, such as {', '.join(missing)}; "
            "run the pipeline again"
        )
    catalog = catalog.take(rows)
    labels, artists, albums, folds = (_known(catalog[name]) for name in COLUMNS)
    metadata = TrackMetadata(ids.to_numpy(zero_copy_only=False).astype(str), labels, artists, albums, folds)
    titles = zip(catalog["title"].to_pylist(), catalog["uri"].to_pylist(), strict=True)
    return TrackVectors(
        str(embeddings),
        check_vectors(table.embeddings, metadata.ids, str(embeddings)),
        metadata,
        [title or Path(uri).stem for title, uri in titles],
        paths_of(catalog),
        sampled(len(ids), total),
    )


def catalog_rows(store: Store, tracks: DatasetRef, ids: pa.StringArray, columns: Sequence[str]) -> pa.Table:
    """The rows of some tracks, in the order of the catalog; one part of it is in memory at a time.

    Parameters
    ----------
    store : Store
    tracks : DatasetRef
    ids : pa.StringArray
        A sample: for all tracks, `store.read` takes less time.
    columns : sequence of str
        With track_id.
    """
    empty = TRACKS.empty_table().select(columns)
    parts = (part.filter(pc.is_in(part["track_id"], value_set=ids)) for part in store.iter_parts(tracks, columns))
    return pa.concat_tables([empty, *parts])


def _chosen(store: Store, embeddings: DatasetRef, max_tracks: int | None) -> tuple[EmbeddingTable, int]:
    """Embeddings sorted by track_id, evenly spaced, and how many there are; of all, only the IDs are in memory."""
    total = store.manifest(embeddings).rows
    if max_tracks is None or total <= max(max_tracks, 1):
        table = read_embeddings(store, embeddings)
        return table.take(pc.array_sort_indices(table.track_ids).to_numpy()), total
    order = pc.array_sort_indices(store.read(embeddings, ["track_id"])["track_id"].combine_chunks())
    rows = order.take(pa.array(evenly_spaced(total, max_tracks))).to_numpy().astype(np.int64)
    table = take_embeddings(store, embeddings, rows)
    return table.take(pc.array_sort_indices(table.track_ids).to_numpy()), total


def sampled(n: int, total: int) -> tuple[str, ...]:
    """Say that only `n` of `total` tracks are evaluated; nothing if all are.

    >>> sampled(5, 12)
    ('evaluated on 5 of 12 tracks, evenly spaced',)
    """
    return (f"evaluated on {n} of {total} tracks, evenly spaced",) if n < total else ()


def take(tracks: TrackVectors, rows: np.ndarray) -> TrackVectors:
    """Keep only the given rows, in the given order."""
    metadata = tracks.metadata
    targets = {name: replace(target, values=target.values[rows]) for name, target in metadata.targets.items()}
    kept = TrackMetadata(
        *(getattr(metadata, name)[rows] for name in ("ids", "labels", "artists", "albums", "folds")), targets=targets
    )
    return replace(
        tracks,
        vectors=tracks.vectors[rows],
        metadata=kept,
        titles=[tracks.titles[i] for i in rows],
        paths=[tracks.paths[i] for i in rows] if len(tracks.paths) else (),
    )


def with_targets(tracks: TrackVectors, targets: Mapping[str, Target]) -> TrackVectors:
    """Add numbers to predict."""
    return replace(tracks, metadata=replace(tracks.metadata, targets={**tracks.metadata.targets, **targets}))


def _known(column: pa.ChunkedArray) -> np.ndarray:
    """Texts without spaces around them, "" for null, as objects: shape (n,)."""
    return pc.utf8_trim_whitespace(pc.fill_null(column, "")).to_numpy(zero_copy_only=False)
