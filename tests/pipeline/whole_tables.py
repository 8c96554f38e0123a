"""The rules of identity, shards and duplicates on tables in memory: what the database must give."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.pipeline.reuse import same_audio
from audioae.pipeline.sharding import merge_small, place_new


def place(scanned: pa.Table, known: pa.Table, own_ids: bool, limits: dict[str, int]) -> list[dict]:
    """The places (pos, shard, track_id, added_at, duplicate_of) of scanned files, in their order."""
    rows = match_tracks(scanned, known, own_ids)
    first_free = 1 + int(pc.max(known["shard"]).as_py()) if known.num_rows else 0
    shards = merge_small(place_new(known_shards(scanned, known, rows), first_free, **limits), **limits)
    at = pa.array(rows, mask=rows < 0)
    tracks = pa.table(
        {
            "pos": pa.array(np.arange(len(rows))),
            "shard": pa.array(shards.astype(np.int32)),
            "track_id": track_ids(scanned, known, rows),
            "added_at": known["added_at"].take(at),
            "was_kept": pc.is_null(known["duplicate_of"]).take(at),
            "content_hash": scanned["content_hash"],
        }
    )
    return mark_duplicates(tracks).sort_by("pos").drop(["was_kept", "content_hash"]).to_pylist()


def mark_duplicates(tracks: pa.Table) -> pa.Table:
    tracks = tracks.sort_by([("shard", "ascending"), ("track_id", "ascending")]).combine_chunks()
    order = np.argsort(~pc.fill_null(tracks["was_kept"], False).to_numpy().astype(bool), kind="stable")
    content = tracks["content_hash"]
    first = pc.index_in(content, value_set=content.take(pa.array(order)).combine_chunks(), skip_nulls=True)
    keeper = pa.array(order).take(first.combine_chunks())
    is_copy = pc.fill_null(pc.not_equal(keeper, pa.array(np.arange(tracks.num_rows))), False)
    duplicate_of = tracks["track_id"].take(pc.if_else(is_copy, keeper, pa.scalar(None, pa.int64())))
    return tracks.append_column("duplicate_of", duplicate_of)


def match_tracks(scanned: pa.Table, known: pa.Table, own_ids: bool) -> np.ndarray:
    """The row of `known` for each scanned file, shape (n,), int64; -1 for a new track.

    Parameters
    ----------
    scanned : pa.Table
        With the schema `scan.SCANNED`.
    known : pa.Table
        Rows of `tracks`.
    """
    by_id = _find(scanned["track_id"], known["track_id"])
    if own_ids:
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


def known_shards(scanned: pa.Table, known: pa.Table, rows: np.ndarray) -> np.ndarray:
    """The shard in which each scanned file has its results, shape (n,), int64; -1 where it has none.

    Parameters
    ----------
    scanned : pa.Table
        With the schema `scan.SCANNED`.
    known : pa.Table
        Rows of `tracks`.
    rows : np.ndarray, shape (n,)
        The row of `known` for each file, -1 for a new track.
    """
    numbers = known["shard"].to_numpy().astype(np.int64)
    shards = np.full(len(rows), -1)
    shards[rows >= 0] = numbers[rows[rows >= 0]]
    is_copy = np.zeros(len(rows), bool)
    is_copy[rows >= 0] = known["duplicate_of"].is_valid().to_numpy()[rows[rows >= 0]]
    orphaned = known["duplicate_of"].is_null().to_numpy().copy()
    orphaned[rows[has_same_audio(scanned, known, rows)]] = False
    heirs, left = np.flatnonzero((rows < 0) | is_copy), np.flatnonzero(orphaned)
    found = same_audio(scanned.take(pa.array(heirs)), known.take(pa.array(left)))
    shards[heirs[found >= 0]] = numbers[left[found[found >= 0]]]
    return shards
