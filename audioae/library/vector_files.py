"""Vectors from a file: a Parquet file, or an .npz with arrays of the same names.

Conventions: columns id (or track_id), vector (or embedding) and, where known, label, artist, album, fold (or split),
title and model.
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
from audioae.library.track_vectors import TrackVectors, take
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
    """Vectors from a Parquet or npz file (see the module).

    Raises
    ------
    EvaluationError
        If the file cannot be read, lacks id or vector, holds vectors of several models, NaN, or an ID twice.
    """
    columns = vector_columns(path)
    models = sorted({str(model) for model in columns.get("model", [])})
    if len(models) > 1:
        raise EvaluationError(f"{path}: vectors of {len(models)} models are mixed: {', '.join(models[:5])}; take one")
    n = len(columns["id"])
    if lengths := [f"{len(values)} of {name}" for name, values in columns.items() if len(values) != n]:
        raise EvaluationError(f"{path}: got {', '.join(lengths)} for {n} IDs, wanted one each")
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
    omitted = (f"evaluated on {len(rows)} of {n} tracks, evenly taken",) if len(rows) < n else ()
    titles = [
        str(title or track_id) for title, track_id in zip(chosen.get("title", metadata.ids), metadata.ids, strict=True)
    ]
    return TrackVectors(Path(path).name, vectors, metadata, titles, omitted=omitted)


def align_vectors(
    subject: TrackVectors, against: Sequence[str]
) -> tuple[TrackVectors, dict[str, np.ndarray], list[str]]:
    """The subject cut to the tracks that all files have, their vectors in its order, and what that left out."""
    files = [vectors_from_file(path) for path in against]
    common = np.ones(subject.metadata.n, bool)
    omitted = []
    for other in files:
        there = np.isin(subject.metadata.ids, other.metadata.ids)
        if not there.any():
            raise EvaluationError(
                f"{other.name}: none of its {other.metadata.n} IDs is one of {subject.name}, "
                f"such as {subject.metadata.ids[0]}"
            )
        if not there.all():
            omitted.append(f"{(~there).sum()} tracks are left out, because {other.name} has no vector of them")
        common &= there
    subject = take(subject, np.flatnonzero(common))
    vectors = {}
    for other in files:
        place = {track_id: row for row, track_id in enumerate(other.metadata.ids)}
        vectors[other.name] = other.vectors[[place[track_id] for track_id in subject.metadata.ids]]
    return subject, vectors, omitted


def vector_columns(path: str) -> dict[str, Any]:
    """The columns of a file of vectors by our names; `vector` as one array."""
    if path.lower().endswith(".npz"):
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                found: dict[str, Any] = {name: np.atleast_1d(arrays[name]) for name in arrays.files}
        except (OSError, ValueError, EOFError, TypeError, BadZipFile) as error:
            raise EvaluationError(f"{path}: not a readable .npz ({error}); string arrays need a str dtype") from error
    else:
        table = read_table(path)
        found = {name: table[name].to_pylist() for name in table.column_names}
    columns = {ours: found[name] for ours, names in ALIASES.items() for name in names if name in found}
    if lacking := {"id", "vector"} - columns.keys():
        raise EvaluationError(f"{path}: got columns {', '.join(found)}; wanted also {', '.join(sorted(lacking))}")
    try:
        columns["vector"] = np.asarray(columns["vector"], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{path}: vectors differ in length or are no numbers ({error})") from error
    return columns


def read_table(path: str) -> pa.Table:
    """A CSV or Parquet file. Raises `EvaluationError` if it cannot be read."""
    names = ("track_id", "path", "listener_id")
    texts = pacsv.ConvertOptions(column_types={name: pa.string() for name in names})  # "007" is no 7
    try:
        with Path(path).open("rb") as file:
            return pacsv.read_csv(file, convert_options=texts) if path.lower().endswith(".csv") else pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise EvaluationError(f"{path}: cannot be read ({error}); wanted a CSV, Parquet or .npz file") from error
