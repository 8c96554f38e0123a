"""Vectors of tracks from a Parquet or .npz file.

Convention: the columns (or arrays) are id (or track_id), vector (or embedding) and, optionally, label, artist, album,
fold (or split), title and model.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from audioae.errors import EvaluationError
from audioae.library.track_metadata import check_vectors, make_metadata
from audioae.library.track_vectors import TrackVectors, sampled, take
from audioae.spacing import evenly_spaced

ALIASES = {
    "id": ("id", "track_id"),
    "vector": ("vector", "embedding"),
    "label": ("label",),
    "artist": ("artist",),
    "album": ("album",),
    "fold": ("fold", "split"),
    "title": ("title",),
    "model": ("model",),
}


def vectors_from_file(path: str, max_tracks: int | None = None) -> TrackVectors:
    """Read vectors and metadata from a Parquet or .npz file.

    Raises
    ------
    EvaluationError
        If the file cannot be read, lacks id or vector, mixes models, or contains NaN or duplicate IDs.
    """
    columns = vector_columns(path)
    models = sorted({str(model) for model in columns.get("model", [])})
    if len(models) > 1:
        raise EvaluationError(f"{path}: vectors of {len(models)} models: {', '.join(models[:5])}; keep those of one")
    n = len(columns["id"])
    if lengths := [f"{len(values)} {name}" for name, values in columns.items() if len(values) != n]:
        raise EvaluationError(f"{path}: got {', '.join(lengths)} values for {n} IDs, wanted one per ID")
    rows = evenly_spaced(n, max_tracks)
    chosen = {name: [values[i] for i in rows] for name, values in columns.items() if name != "vector"}
    metadata = make_metadata(
        [str(track_id) for track_id in chosen["id"]],
        labels=chosen.get("label"),
        artists=chosen.get("artist"),
        albums=chosen.get("album"),
        folds=chosen.get("fold"),
    )
    vectors = check_vectors(columns["vector"][rows], metadata.ids, path)
    titles = [
        str(title or track_id) for title, track_id in zip(chosen.get("title", metadata.ids), metadata.ids, strict=True)
    ]
    return TrackVectors(Path(path).name, vectors, metadata, titles, omitted=sampled(len(rows), n))


def align_vectors(
    tracks: TrackVectors, against: Sequence[str]
) -> tuple[TrackVectors, dict[str, np.ndarray], list[str]]:
    """Keep the tracks that all the files have, and read the files' vectors in the same order.

    Returns
    -------
    tracks : TrackVectors
    vectors : dict of file name to np.ndarray, shape (n, d)
    omitted : list of str
        A sentence for each file that lacks tracks.

    Raises
    ------
    EvaluationError
        If a file cannot be used, or has none of the tracks.
    """
    files = [vectors_from_file(path) for path in against]
    common = np.ones(tracks.metadata.n, bool)
    omitted = []
    for other in files:
        mask = np.isin(tracks.metadata.ids, other.metadata.ids)
        if not mask.any():
            raise EvaluationError(
                f"{other.name}: none of its {other.metadata.n} IDs is in {tracks.name}, which has IDs such as "
                f"{tracks.metadata.ids[0]}"
            )
        if not mask.all():
            omitted.append(f"{(~mask).sum()} of {tracks.metadata.n} tracks have no vector in {other.name}")
        common &= mask
    tracks = take(tracks, np.flatnonzero(common))
    vectors = {}
    for other in files:
        order = np.argsort(other.metadata.ids)
        rows = order[np.searchsorted(other.metadata.ids, tracks.metadata.ids, sorter=order)]
        vectors[other.name] = other.vectors[rows]
    return tracks, vectors, omitted


def vector_columns(path: str) -> dict[str, Any]:
    """Read the columns of a vector file under the names of `ALIASES`; `vector` as one float32 array."""
    if path.lower().endswith(".npz"):
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                raw: dict[str, Any] = {name: np.atleast_1d(arrays[name]) for name in arrays.files}
        except (OSError, ValueError, EOFError, TypeError, BadZipFile) as error:
            raise EvaluationError(f"{path}: not a readable .npz ({error}); string arrays need a str dtype") from error
    else:
        table = read_table(path)
        raw = {name: table[name].to_pylist() for name in table.column_names}
    columns = {ours: raw[name] for ours, names in ALIASES.items() for name in names if name in raw}
    if missing := {"id", "vector"} - columns.keys():
        raise EvaluationError(f"{path}: got columns {', '.join(raw)}; missing: {', '.join(sorted(missing))}")
    try:
        columns["vector"] = np.asarray(columns["vector"], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{path}: vectors differ in length or are not numbers ({error})") from error
    return columns


def read_table(path: str) -> pa.Table:
    """Read a CSV or Parquet file. Raises `EvaluationError` if that fails."""
    names = ("track_id", "path", "listener_id")
    texts = pacsv.ConvertOptions(column_types={name: pa.string() for name in names})  # keeps "007" from becoming 7
    try:
        if path.lower().endswith(".csv"):
            return pacsv.read_csv(path, convert_options=texts)
        with pq.ParquetFile(path) as file:
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise EvaluationError(f"{path}: cannot be read ({error}); wanted a CSV, Parquet or .npz file") from error
