"""Truth about a catalog from a file: numbers to predict and labels.

Conventions: a CSV or Parquet file with a column track_id, or path (relative to its folder).
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from audioae.errors import EvaluationError
from audioae.library.track_metadata import Target
from audioae.library.track_vectors import TrackVectors
from audioae.library.vector_files import ALIASES, read_table
from audioae.store.schemas import TRACKS


def read_truth(path: str, subject: TrackVectors) -> tuple[dict[str, Target], tuple[str, ...]]:
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
        values = np.full(subject.metadata.n, np.nan)
        values[rows[rows >= 0]] = np.array(table[name].to_pylist(), dtype=float)[rows >= 0]
        targets[name] = Target(values, Path(path).name)
    without = subject.metadata.n - len(set(rows[rows >= 0]))
    omitted = []
    if (rows < 0).any():
        omitted.append(f"{(rows < 0).sum()} of {len(rows)} rows of {Path(path).name} name no evaluated track")
    if without:
        omitted.append(f"{without} of {subject.metadata.n} tracks are not in {Path(path).name}")
    return targets, tuple(omitted)


def read_styles(path: str, subject: TrackVectors) -> np.ndarray:
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
    styles = np.full(subject.metadata.n, "", dtype=object)
    styles[rows[rows >= 0]] = np.array([str(value or "") for value in table[column].to_pylist()], object)[rows >= 0]
    return styles.astype(str)


def _read_matched(path: str, subject: TrackVectors) -> tuple[pa.Table, np.ndarray]:
    """A file of truth, and for each of its rows the row of the subject's track that it names, -1 for none."""
    table = read_table(path)
    names = table.column_names
    if "track_id" in names:
        keys = [str(value) for value in table["track_id"].to_pylist()]
        place = {str(track_id): i for i, track_id in enumerate(subject.metadata.ids)}
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
