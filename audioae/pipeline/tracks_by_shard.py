"""Rows in the order of a scan become parts in the order of shards, without ever being in memory all at once.

Conventions
-----------
- Rows are first scattered over files, each of the rows of some neighboring shards, and then one file after the other is
  sorted by shard and track_id and cut into parts.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.catalog.database import Database
from audioae.catalog.rows import SCANNED
from audioae.pipeline.shards import part_fingerprint
from audioae.store.dataset import Store
from audioae.store.schemas import TRACKS

BLOCK = 1 << 16  # rows that are scattered at once
LEAST = 1 << 17  # rows of a file, if there are as many
MOST_FILES = 200


class Spool:
    """Blocks of rows of `SCANNED` in a file.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path, schema: pa.Schema = SCANNED):
        self._path, self.n_rows = path, 0
        self._writer = pa.ipc.new_file(str(path), schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))

    def add(self, rows: pa.Table) -> None:
        self._writer.write_table(rows)
        self.n_rows += len(rows)

    def blocks(self) -> Iterator[pa.Table]:
        """The blocks, in order. Nothing can be added any more, and the file is deleted at the end."""
        self._writer.close()
        with pa.OSFile(str(self._path)) as file:
            reader = pa.ipc.open_file(file)
            for i in range(reader.num_record_batches):
                yield pa.Table.from_batches([reader.get_batch(i)])
        self._path.unlink()


def write_by_shard(store: Store, scanned: Iterable[pa.Table], db: Database, code: int) -> list[str]:
    """Write one part per shard, unless it exists.

    Parameters
    ----------
    store : Store
    scanned : iterable of pa.Table
        Rows of `SCANNED`, in order.
    db : Database
        With the table `placed` (pos, shard, track_id, added_at, duplicate_of).
    code : int
        Part of the names of the parts.

    Returns
    -------
    fingerprints : list of str
        In the order of the shards.
    """
    counts = db.rows("SELECT shard, count(*) FROM placed GROUP BY shard ORDER BY shard")
    first_shards = _first_shards(counts)
    spools = [Spool(db.folder / f"shards-{first}.arrow", TRACKS) for first in first_shards]
    for rows in _tracks(_blocks_of(scanned, BLOCK), db):
        which = np.searchsorted(first_shards, rows["shard"].to_numpy(), side="right") - 1
        order = np.argsort(which, kind="stable")
        numbers, starts = np.unique(which[order], return_index=True)
        rows = rows.take(pa.array(order))
        for number, start, stop in zip(numbers, starts, [*starts[1:], len(order)], strict=True):
            spools[number].add(rows.slice(start, stop - start))
    existing = store.part_fingerprints("tracks")
    return [_write(store, part, code, existing) for spool in spools for part in _parts(spool)]


def _first_shards(counts: list[tuple[int, int]]) -> np.ndarray:
    """The first shard of each file; `counts` are the shards and their numbers of rows."""
    least = max(LEAST, -(-sum(n for _, n in counts) // MOST_FILES))
    firsts, filled = [], least
    for shard, n in counts:
        if filled >= least:
            firsts.append(shard)
            filled = 0
        filled += n
    return np.array(firsts)


def _blocks_of(blocks: Iterable[pa.Table], n_rows: int) -> Iterator[pa.Table]:
    """Blocks joined to such of about `n_rows` rows."""
    waiting: list[pa.Table] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= n_rows:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _tracks(scanned: Iterable[pa.Table], db: Database) -> Iterator[pa.Table]:
    """Scanned rows as rows of `tracks`, with their places."""
    places, waiting = db.stream("SELECT * FROM placed ORDER BY pos"), pa.table({})
    for block in scanned:
        parts = [waiting] if len(waiting) else []
        while sum(map(len, parts)) < len(block):
            parts.append(next(places))
        place = pa.concat_tables(parts)
        place, waiting = place.slice(0, len(block)), place.slice(len(block))
        added_at = place["added_at"].cast(TRACKS.field("added_at").type)
        columns = {
            **{name: block[name] for name in block.column_names},
            **{name: place[name] for name in ("shard", "track_id", "duplicate_of")},
            "added_at": pc.coalesce(added_at, block["added_at"]),
        }
        yield pa.table([columns[field.name].cast(field.type) for field in TRACKS], schema=TRACKS).combine_chunks()


def _parts(spool: Spool) -> Iterator[pa.Table]:
    """The rows of each shard in a file, sorted by track_id."""
    rows = pa.concat_tables(list(spool.blocks())).combine_chunks()
    order = pc.sort_indices(rows, [("shard", "ascending"), ("track_id", "ascending")])
    shards = rows["shard"].take(order).to_numpy()
    bounds = [*np.flatnonzero(np.diff(shards, prepend=-1)), len(shards)]
    for start, stop in itertools.pairwise(bounds):
        yield rows.take(order.slice(start, stop - start))


def _write(store: Store, part: pa.Table, code: int, existing: set[str]) -> str:
    name = part_fingerprint(part["shard"][0].as_py(), [code, _hash(part)])
    if name not in existing:
        store.write_part("tracks", name, part)
    return name


def _hash(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()
