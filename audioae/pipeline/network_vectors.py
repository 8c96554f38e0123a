"""The dataset `network_vectors`: the vector of a user's network for each track, written where files are decoded.

Conventions
-----------
- A part's name depends on the extraction and on the network: the same files and the same network are computed once.
  Vectors of tracks with the same audio are copied from earlier parts.
- A row without a vector says why the network failed on that track. Its embedding then consists of the model's own part.
- A part is written only if it has a row for every track that was not rejected.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.pipeline.evidence import in_order
from audioae.pipeline.network import TrackVector
from audioae.pipeline.shard_plan import VECTORS, ShardPlan, vectors_part
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import schema_of

NAMED = 5  # tracks in a warning


class ShardVectors:
    """The vectors of one shard, collected while its tracks are decoded.

    Parameters
    ----------
    store : Store
    plan : ShardPlan
    network : DatasetRef
    """

    def __init__(self, store: Store, plan: ShardPlan, network: DatasetRef):
        self._store, self._plan, self._network = store, plan, network
        self._tables = [copy.read(store) for copy in plan.vectors]
        self._rows = {track_id: row for table in self._tables for track_id, row in _rows(table)}

    def keep(self, decoded: Iterable[tuple]) -> Iterator[tuple]:
        """Take the vectors out of results of `extract_with_vector`, and yield the rest."""
        for track_id, result in decoded:
            if isinstance(result, tuple):
                extracted, vector = result
                self._tables.append(_table(track_id, vector))
                self._rows[track_id] = vector.vector
                yield track_id, extracted
            else:
                yield track_id, result

    def of(self, mels: pa.Table) -> list[np.ndarray | None]:
        """The vector of each track of a block of mels, in their order. Raises `StoreError` if a track has no row."""
        ids = list(dict.fromkeys(mels["track_id"].to_pylist()))
        if missing := [track_id for track_id in ids if track_id not in self._rows]:
            raise StoreError(f"{missing[0]}: no vector of {self._network}; run the stage embed again")
        return [self._rows[track_id] for track_id in ids]

    def write(self, name: str) -> None:
        """Write the part of the extraction `name`, unless a track has no row."""
        ids, part = self._plan.track_ids, vectors_part(name, self._network)
        if self._store.has_part(VECTORS, part):
            return
        rejected = self._store.read_part("rejects", name, ["track_id"])["track_id"]
        if self._rows.keys() | set(rejected.to_pylist()) >= set(ids.to_pylist()):
            table = in_order([*self._tables, schema_of(VECTORS).schema.empty_table()], ids)
            usable = pc.invert(pc.is_in(table["track_id"], value_set=rejected.combine_chunks()))
            self._store.write_part(VECTORS, part, table.filter(usable).combine_chunks())


def commit_vectors(store: Store, tracks: DatasetRef, network: DatasetRef, extractions: Sequence[str]) -> DatasetRef:
    """Publish the vectors of these extractions, as far as they are stored."""
    names = [name for name in (vectors_part(each, network) for each in extractions) if store.has_part(VECTORS, name)]
    recipe = fingerprint([names, str(network)])
    return store.commit(VECTORS, names, recipe=recipe, config={}, parents=[tracks, network])


def check_vectors(store: Store, network: DatasetRef, extractions: Sequence[str], *, max_fail_rate: float) -> str | None:
    """Name the tracks of parts that are not published yet on which the network failed; None if there are none.

    Raises
    ------
    StoreError
        If those are all tracks of the extractions, or a larger share of them than `max_fail_rate`.
    """
    failed: list[dict[str, str]] = []
    parts = [part for each in extractions if store.has_part(VECTORS, part := vectors_part(each, network))]
    for part in parts:
        if not store.is_published(VECTORS, part):
            rows = store.read_part(VECTORS, part, ["track_id", "fault"])
            failed += rows.filter(pc.is_valid(rows["fault"])).to_pylist()
    if not failed:
        return None
    n_tracks = sum(part.rows or 0 for part in store.describe(VECTORS, parts))
    ((fault, _),) = Counter(row["fault"] for row in failed).most_common(1)
    named = ", ".join(row["track_id"] for row in failed[:NAMED]) + (", ..." if len(failed) > NAMED else "")
    message = f"the network of embedding.extra failed on {len(failed)} of {n_tracks} tracks ({named}): {fault}"
    if len(failed) == n_tracks or len(failed) > max_fail_rate * n_tracks:
        raise StoreError(f"{message}. Nothing was published. Export the network again, or raise max_reject_rate")
    return f"{message}. Their embeddings consist of the model's own part"


def read_vectors(
    store: Store, network: DatasetRef, extractions: Sequence[str], track_ids: Iterable[str]
) -> dict[str, np.ndarray]:
    """The vectors of some tracks, as far as they are stored and the network did not fail; parts are read in blocks."""
    wanted, vectors = pa.array(sorted(track_ids), pa.string()), {}
    for part in (vectors_part(extraction, network) for extraction in extractions):
        if store.has_part(VECTORS, part):
            for block in store.part_blocks(VECTORS, part, ["track_id", "vector"], rows=1024):
                found = _rows(block.filter(pc.is_in(block["track_id"], value_set=wanted)))
                vectors |= {track_id: vector for track_id, vector in found if vector is not None}
    return vectors


def _rows(table: pa.Table) -> Iterator[tuple[str, np.ndarray | None]]:
    for track_id, vector in zip(table["track_id"].to_pylist(), table["vector"], strict=True):
        yield track_id, np.asarray(vector.values, np.float32) if vector.is_valid else None


def _table(track_id: str, vector: TrackVector) -> pa.Table:
    values = None if vector.vector is None else vector.vector.tolist()
    row = {"track_id": track_id, "vector": values, "n_windows": vector.n_windows, "fault": vector.fault}
    return pa.Table.from_pylist([row], schema_of(VECTORS).schema)
