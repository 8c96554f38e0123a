"""What is evaluated: vectors and the facts about their tracks, from a store or from a file.

Conventions
-----------
- At most `max_tracks` tracks are taken, evenly spaced over the embeddings (None: all); `omitted` says how many.
- A file of vectors has columns id (or track_id), vector (or embedding) and, as far as known, label, artist, album,
  fold (or split), title, model; an .npz has arrays of the same names.
- A file of truth (CSV or Parquet) has a column track_id, or path (relative to its folder), and numbers to be predicted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from audioae.errors import EvaluationError
from audioae.library.track_metadata import Target, TrackMetadata, check_vectors, make_metadata
from audioae.pipeline.index import read_embeddings
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

OWN = "model"  # the name of the store's own vectors, beside others of the same tracks


@dataclass(frozen=True)
class TrackVectors:
    """Vectors (n, d) of length 1, the facts of their tracks, what to call them, and what was left out.

    `uris` is empty where the audio is not known.
    """

    name: str
    vectors: np.ndarray
    metadata: TrackMetadata
    titles: Sequence[str]
    uris: Sequence[str] = ()
    omitted: tuple[str, ...] = ()


def vectors_from_store(store: Store, embeddings: DatasetRef, max_tracks: int | None = None) -> TrackVectors:
    """The embeddings of one version, with what the catalog says of their tracks; sorted by track_id."""
    table = read_embeddings(store, embeddings)
    ids = np.array(table.track_ids.to_pylist(), dtype=object)
    order = np.argsort(ids.astype(str))[evenly_spaced(len(ids), max_tracks)]
    ids, omitted = ids[order], ()
    if len(table.track_ids) > len(ids):
        omitted = (f"evaluated on {len(ids)} of {len(table.track_ids)} tracks, evenly taken",)
    rows = store.read(
        store.manifest(embeddings).parent("tracks"), ["track_id", "uri", "title", "artist", "album", "label", "split"]
    )
    place = {track_id: i for i, track_id in enumerate(rows["track_id"].to_pylist())}
    missing = [track_id for track_id in ids if track_id not in place]
    if missing:
        raise EvaluationError(f"{embeddings}: {len(missing)} tracks are not in its catalog: {missing[:5]}; run again")
    rows = rows.take(pa.array([place[track_id] for track_id in ids]))
    column = {name: rows[name].to_pylist() for name in rows.column_names}
    metadata = make_metadata(
        ids.tolist(),
        labels=column["label"],
        artists=column["artist"],
        albums=column["album"],
        folds=column["split"],
    )
    return TrackVectors(
        str(embeddings),
        check_vectors(table.embeddings[order], metadata.ids, str(embeddings)),
        metadata,
        [title or Path(uri).stem for title, uri in zip(column["title"], column["uri"], strict=True)],
        column["uri"],
        omitted,
    )


def take(subject: TrackVectors, rows: np.ndarray) -> TrackVectors:
    """The subject with only those rows."""
    metadata = subject.metadata
    targets = {name: replace(target, values=target.values[rows]) for name, target in metadata.targets.items()}
    kept = TrackMetadata(
        *(getattr(metadata, name)[rows] for name in ("ids", "labels", "artists", "albums", "folds")), targets=targets
    )
    return replace(
        subject,
        vectors=subject.vectors[rows],
        metadata=kept,
        titles=[subject.titles[i] for i in rows],
        uris=[subject.uris[i] for i in rows] if len(subject.uris) else (),
    )


def with_targets(subject: TrackVectors, targets: Mapping[str, Target]) -> TrackVectors:
    """The subject with numbers to be predicted."""
    return replace(subject, metadata=replace(subject.metadata, targets={**subject.metadata.targets, **targets}))
