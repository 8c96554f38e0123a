"""Which track of the last catalog a scanned file is.

Conventions
-----------
- A source that has track IDs of its own decides: the same ID is the same track.
- Elsewhere a track_id is the hash of the path at which the file was first seen. The file at a track's path is that
  track, whatever its content; so is a file at the same path below another root. A file that is gone from its path and
  whose audio appears at exactly one new path was moved: the track keeps its ID.
- If the path of a moved track is used again, the new file there gets another ID.

Why a move is known by the audio and not by the whole file: programs that edit tags often rename the file too.
"""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import


def match_tracks(scanned: pa.Table, known: pa.Table) -> np.ndarray:
    """The row of `known` for each scanned file, shape (n,), int64; -1 for a new track.

    Parameters
    ----------
    scanned : pa.Table
        With the schema `scan.SCANNED`.
    known : pa.Table
        Rows of `tracks`.
    """
    by_id = _find(scanned["track_id"], known["track_id"])
    if pc.any(scanned["own_id"]).as_py():
        return by_id
    rows = np.full(scanned.num_rows, -1)
    _fill(rows, _find(scanned["uri"], known["uri"]))
    _fill(rows, np.where(has_same_audio(scanned, known, by_id), by_id, -1))
    for name in ("content_hash", "audio_hash"):
        _fill(rows, _moved(scanned[name], known[name], rows))
    _fill(rows, by_id)
    return rows


def track_ids(scanned: pa.Table, known: pa.Table, rows: np.ndarray) -> pa.Array:
    """The track_id of each scanned file: the known one, or its own unless a known track has it."""
    ids = scanned["track_id"].to_numpy().copy()
    ids[rows >= 0] = known["track_id"].to_numpy()[rows[rows >= 0]]
    taken = pc.is_in(scanned["track_id"], value_set=pa.array(ids[rows >= 0], pa.string())).to_numpy()
    if (again := np.flatnonzero((rows < 0) & taken)).size:
        used = set(ids[rows >= 0])
        for row in again:
            while ids[row] in used:
                ids[row] = hashlib.blake2b(f"{ids[row]} again".encode(), digest_size=8).hexdigest()
    return pa.array(ids, pa.string())


def has_same_audio(scanned: pa.Table, known: pa.Table, rows: np.ndarray) -> np.ndarray:
    """Whether each scanned file has the audio of the row of `known` that is given for it; False for a row of -1."""
    at = pa.array(rows, mask=rows < 0)
    same = [
        pc.fill_null(pc.equal(scanned[name], known[name].take(at)), False).to_numpy().astype(bool)
        for name in ("content_hash", "audio_hash")
    ]
    return same[0] | same[1]


def _find(values: pa.ChunkedArray, among: pa.ChunkedArray) -> np.ndarray:
    rows = pc.index_in(values, value_set=among.combine_chunks(), skip_nulls=True)
    return pc.fill_null(rows, -1).to_numpy().astype(np.int64)


def _fill(rows: np.ndarray, more: np.ndarray) -> None:
    """Set rows that are -1 to those of `more`, but use no row of `known` twice."""
    more = np.where((rows < 0) & ~np.isin(more, rows), more, -1)
    found, first = np.unique(more, return_index=True)
    rows[first[found >= 0]] = found[found >= 0]


def _moved(scanned: pa.ChunkedArray, known: pa.ChunkedArray, rows: np.ndarray) -> np.ndarray:
    """The unmatched row of `known` with the hash of each unmatched file, where both have it once."""
    new = np.flatnonzero(rows < 0)
    gone = np.setdiff1d(np.arange(len(known)), rows)
    hashes, gone_hashes = scanned.take(pa.array(new)), known.take(pa.array(gone))
    shared = _once(hashes)
    shared = shared.filter(pc.is_in(shared, value_set=_once(gone_hashes)))
    moved = np.full(len(rows), -1)
    moved[new[_find(pa.chunked_array([shared]), hashes)]] = gone[_find(pa.chunked_array([shared]), gone_hashes)]
    return moved


def _once(values: pa.ChunkedArray) -> pa.Array:
    """The values that occur once."""
    counts = values.drop_null().value_counts()
    return counts.field("values").filter(pc.equal(counts.field("counts"), 1))
