"""Ground truth about a catalog from a file: numbers to predict, and true labels.

Convention: a CSV or Parquet file with a column track_id, or path (relative to the file's folder).
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audioae.catalog.paths import displayed
from audioae.errors import EvaluationError
from audioae.library.track_metadata import Target
from audioae.library.track_vectors import TrackVectors
from audioae.library.vector_files import ALIASES, read_table
from audioae.store.schemas import TRACKS


def read_truth(path: str, tracks: TrackVectors) -> tuple[dict[str, Target], tuple[str, ...]]:
    """Read each numeric column as a target, except columns that the catalog has too (year, fold).

    Returns
    -------
    targets : dict of name to Target
    omitted : tuple of str
        Sentences with the number of rows without an evaluated track, and of evaluated tracks without a row.

    Raises
    ------
    EvaluationError
        If the file cannot be read, or names none of the tracks or a track more than once.
    """
    table, rows = _read_matched(path, tracks)
    targets = {}
    for name in table.column_names:
        if name in (*TRACKS.names, *ALIASES) or not (
            pa.types.is_floating(table[name].type) or pa.types.is_integer(table[name].type)
        ):
            continue
        values = np.full(tracks.metadata.n, np.nan)
        values[rows[rows >= 0]] = np.array(table[name].to_pylist(), dtype=float)[rows >= 0]
        targets[name] = Target(values, Path(path).name)
    without = tracks.metadata.n - len(set(rows[rows >= 0]))
    omitted = []
    if (rows < 0).any():
        omitted.append(f"{(rows < 0).sum()} of {len(rows)} rows of {Path(path).name} match no evaluated track")
    if without:
        omitted.append(f"{without} of {tracks.metadata.n} tracks are not in {Path(path).name}")
    return targets, tuple(omitted)


def read_styles(path: str, tracks: TrackVectors) -> np.ndarray:
    """Read the column true_label (or label), shape (n,), str; "" for tracks without a row.

    Raises
    ------
    EvaluationError
        As in `read_truth`, and if there is no such column.
    """
    table, rows = _read_matched(path, tracks)
    column = next((name for name in ("true_label", "label") if name in table.column_names), None)
    if column is None:
        raise EvaluationError(f"{path}: got columns {', '.join(table.column_names)}; wanted true_label or label")
    styles = np.full(tracks.metadata.n, "", dtype=object)
    styles[rows[rows >= 0]] = np.array([str(value or "") for value in table[column].to_pylist()], object)[rows >= 0]
    return styles.astype(str)


def _read_matched(path: str, tracks: TrackVectors) -> tuple[pa.Table, np.ndarray]:
    """The table of a file, and for each of its rows the row of its track, or -1."""
    table = read_table(path)
    names = table.column_names
    if "track_id" in names:
        keys = [str(value) for value in table["track_id"].to_pylist()]
        known = tracks.metadata.ids.tolist()
    elif "path" in names:
        folder = Path(path).resolve().parent
        keys = [displayed(str((folder / str(value)).resolve())) for value in table["path"].to_pylist()]
        known = [displayed(str(Path(path).resolve())) for path in tracks.paths]
    else:
        raise EvaluationError(f"{path}: got columns {', '.join(names)}; wanted track_id or path among them")
    matches = pc.index_in(pa.array(keys, pa.string()), value_set=pa.array(known, pa.string()))
    rows = pc.fill_null(matches, -1).to_numpy(zero_copy_only=False).astype(int)
    if (rows < 0).all():
        example = f", such as {keys[0]}" if keys else ""
        raise EvaluationError(f"{path}: none of its {len(keys)} rows matches an evaluated track{example}")
    repeated = np.flatnonzero(np.bincount(rows[rows >= 0]) > 1)
    if len(repeated):
        raise EvaluationError(
            f"{path}: {len(repeated)} tracks have several rows, such as {known[repeated[0]]}; keep one row per track"
        )
    return table, rows
