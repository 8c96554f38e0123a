"""What is evaluated: vectors and the facts about their tracks, from a store or from a file.

Conventions
-----------
- At most `max_tracks` tracks are taken, evenly over the embeddings; what was left out is said.
- A file of vectors has columns id (or track_id), vector (or embedding) and, as far as known, label, artist, album,
  fold (or split), title, model; an .npz has arrays of the same names.
- A file of truth (CSV or Parquet) has a column track_id, or path (relative to its folder), and numbers to be predicted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from audioae.errors import EvaluationError
from audioae.evaluate.facts import Facts, Target, check_vectors, make_facts
from audioae.stages.index import read_embeddings
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import TRACKS

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


@dataclass(frozen=True)
class Subject:
    """Vectors (n, d) of length 1, the facts of their tracks, what to call them, and what was left out.

    `uris` is empty where the audio is not known.
    """

    name: str
    vectors: np.ndarray
    facts: Facts
    titles: Sequence[str]
    uris: Sequence[str] = ()
    omitted: tuple[str, ...] = ()


def subject_from_store(store: Store, embeddings: DatasetRef, max_tracks: int) -> Subject:
    """The embeddings of one version, with what the catalog says of their tracks; sorted by track_id."""
    table = read_embeddings(store, embeddings)
    ids = np.array(table.track_ids.to_pylist(), dtype=object)
    order = _spread(np.argsort(ids.astype(str)), max_tracks)
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
    facts = make_facts(
        ids.tolist(),
        labels=column["label"],
        artists=column["artist"],
        albums=column["album"],
        folds=column["split"],
    )
    return Subject(
        str(embeddings),
        check_vectors(table.embeddings[order], facts.ids, str(embeddings)),
        facts,
        [title or Path(uri).stem for title, uri in zip(column["title"], column["uri"], strict=True)],
        column["uri"],
        omitted,
    )


def subject_from_file(path: str, max_tracks: int) -> Subject:
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
    rows = _spread(np.arange(n), max_tracks)
    chosen = {name: [values[i] for i in rows] for name, values in columns.items() if name != "vector"}
    facts = make_facts(
        [str(track_id) for track_id in chosen["id"]],
        labels=chosen.get("label"),
        artists=chosen.get("artist"),
        albums=chosen.get("album"),
        folds=chosen.get("fold"),
    )
    vectors = check_vectors(columns["vector"][rows], facts.ids, path)
    omitted = (f"evaluated on {len(rows)} of {n} tracks, evenly taken",) if len(rows) < n else ()
    titles = [str(title or track_id) for title, track_id in zip(chosen.get("title", facts.ids), facts.ids, strict=True)]
    return Subject(Path(path).name, vectors, facts, titles, omitted=omitted)


def take(subject: Subject, rows: np.ndarray) -> Subject:
    """The subject with only those rows."""
    facts = subject.facts
    targets = {name: replace(target, values=target.values[rows]) for name, target in facts.targets.items()}
    kept = Facts(
        *(getattr(facts, name)[rows] for name in ("ids", "labels", "artists", "albums", "folds")), targets=targets
    )
    return replace(
        subject,
        vectors=subject.vectors[rows],
        facts=kept,
        titles=[subject.titles[i] for i in rows],
        uris=[subject.uris[i] for i in rows] if len(subject.uris) else (),
    )


def with_targets(subject: Subject, targets: Mapping[str, Target]) -> Subject:
    """The subject with numbers to be predicted."""
    return replace(subject, facts=replace(subject.facts, targets={**subject.facts.targets, **targets}))


def read_truth(path: str, subject: Subject) -> tuple[dict[str, Target], tuple[str, ...]]:
    """Targets from a CSV or Parquet file: each column of numbers that is not about the catalog (year, fold).

    Returns
    -------
    targets : dict of name to Target
    omitted : tuple of str
        Rows that name no evaluated track, and evaluated tracks that the file does not name: how many.

    Raises
    ------
    EvaluationError
        If the file cannot be read, names none of the tracks, or one of them twice.
    """
    table, rows = _read_matched(path, subject)
    targets = {}
    for name in table.column_names:
        if name in (*TRACKS.names, *ALIASES) or not (
            pa.types.is_floating(table[name].type) or pa.types.is_integer(table[name].type)
        ):
            continue
        values = np.full(subject.facts.n, np.nan)
        values[rows[rows >= 0]] = np.array(table[name].to_pylist(), dtype=float)[rows >= 0]
        targets[name] = Target(values, Path(path).name)
    without = subject.facts.n - len(set(rows[rows >= 0]))
    omitted = []
    if (rows < 0).any():
        omitted.append(f"{(rows < 0).sum()} of {len(rows)} rows of {Path(path).name} name no evaluated track")
    if without:
        omitted.append(f"{without} of {subject.facts.n} tracks are not in {Path(path).name}")
    return targets, tuple(omitted)


def read_styles(path: str, subject: Subject) -> np.ndarray:
    """The column true_label (or label) of a file of truth, shape (n,), str; "" for tracks that it does not name.

    Raises
    ------
    EvaluationError
        As `read_truth`, or if there is no such column.
    """
    table, rows = _read_matched(path, subject)
    column = next((name for name in ("true_label", "label") if name in table.column_names), None)
    if column is None:
        raise EvaluationError(f"{path}: got columns {', '.join(table.column_names)}; wanted true_label or label")
    styles = np.full(subject.facts.n, "", dtype=object)
    styles[rows[rows >= 0]] = np.array([str(value or "") for value in table[column].to_pylist()], object)[rows >= 0]
    return styles.astype(str)


def _read_matched(path: str, subject: Subject) -> tuple[pa.Table, np.ndarray]:
    """A file of truth, and for each of its rows the row of the subject's track that it names, -1 for none."""
    table = read_table(path)
    names = table.column_names
    if "track_id" in names:
        keys = [str(value) for value in table["track_id"].to_pylist()]
        place = {str(track_id): i for i, track_id in enumerate(subject.facts.ids)}
    elif "path" in names:
        folder = Path(path).resolve().parent
        keys = [str((folder / str(value)).resolve()) for value in table["path"].to_pylist()]
        place = {str(Path(uri).resolve()): i for i, uri in enumerate(subject.uris)}
    else:
        raise EvaluationError(f"{path}: got columns {', '.join(names)}; wanted track_id or path among them")
    rows = np.array([place.get(key, -1) for key in keys], dtype=int)
    if (rows < 0).all():
        example = f", such as {keys[0]}" if keys else ""
        raise EvaluationError(f"{path}: none of its {len(keys)} rows names an evaluated track{example}")
    if twice := [key for key, count in Counter(keys).items() if count > 1 and key in place]:
        raise EvaluationError(
            f"{path}: {len(twice)} tracks stand more than once, such as {twice[0]}; keep one row each"
        )
    return table, rows


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


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    return rows if len(rows) <= most else rows[np.arange(most) * len(rows) // most]
