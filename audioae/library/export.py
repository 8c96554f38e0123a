"""Export: embeddings and metadata in one Parquet file, for vector databases and other tools.

Conventions
-----------
- The file has one row per embedding, in the order of the store, with the columns of `SCHEMA`.
- `numeric_id` is for databases that do not accept strings as IDs. A `track_id` of 16 lower-case hexadecimal digits, the
  kind that audioae makes, gives its value; any other gives 63 bits of its SHA-256. A number is unique in the file and
  the same in every export.
- `duplicate_of` is the track whose recording this one repeats, according to the index built from these embeddings; null
  for all others. Byte-identical copies have no embedding and therefore no row.
- Each part is joined with the catalog rows of its own shard, so time is linear in tracks and memory holds one part.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import
import pyarrow.parquet as pq

from audioae.errors import StoreError
from audioae.library.duplicates import known_copies
from audioae.output import whole_file
from audioae.pipeline.shards import shard_of
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import EMBEDDINGS, TRACKS

METADATA = ("track_id", "uri", "title", "artist", "album", "label", "year", "duration_s", "split")
SCHEMA = pa.schema(
    [
        *(TRACKS.field(name) for name in METADATA),
        pa.field("duplicate_of", pa.string()),
        pa.field("numeric_id", pa.uint64(), nullable=False),
        EMBEDDINGS.field("embedding"),
        pa.field("model", pa.string(), nullable=False),
    ]
)
HEXADECIMAL = re.compile(r"[0-9a-f]{16}")


def export_embeddings(store: Store, out: str) -> int:
    """Write the current embeddings with their tracks' metadata to one Parquet file.

    Returns
    -------
    n_rows : int

    Raises
    ------
    StoreError
        If there are no embeddings yet, two tracks have the same `numeric_id`, or `out` cannot be written. Then no file
        is written.
    """
    ref = store.require("embeddings")
    numbers = [np.empty(0, np.uint64)]
    try:
        with whole_file(out) as unfinished:
            with pq.ParquetWriter(unfinished, SCHEMA) as writer:
                for table in _tables(store, ref, known_copies(store, ref).keepers):
                    writer.write_table(table)
                    numbers.append(table["numeric_id"].to_numpy())
            _check_unique(np.concatenate(numbers), ref)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error}); name a file in a folder that exists") from error
    return sum(map(len, numbers))


def numeric_ids(track_ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A number for each track_id, shape (n,), uint64.

    >>> numeric_ids(pa.array(["00000000000000ff", "a track"])).tolist()
    [255, 8924884977867736698]
    """
    return np.array([_number(track_id) for track_id in track_ids.to_pylist()], np.uint64)


def _number(track_id: str) -> int:
    if HEXADECIMAL.fullmatch(track_id):
        return int(track_id, 16)
    return int.from_bytes(hashlib.sha256(track_id.encode()).digest()[:8], "big") >> 1


def parts_with_tracks(store: Store, ref: DatasetRef, columns: Sequence[str]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The embeddings of a version part by part, each with the catalog's rows of its tracks, in the same order.

    Parameters
    ----------
    store : Store
    ref : DatasetRef
        A version of `embeddings`.
    columns : sequence of str
        Of `tracks`, with track_id.

    Raises
    ------
    StoreError
        If a track is missing from the catalog.
    """
    manifest = store.manifest(ref)
    catalog = manifest.parent("tracks")
    shards = {shard_of(part.name): part.name.removesuffix(".parquet") for part in store.manifest(catalog).parts}
    for part, embeddings in zip(manifest.parts, store.iter_parts(ref, ["track_id", "embedding"]), strict=True):
        shard = shards.get(shard_of(part.name))
        tracks = store.read_part("tracks", shard, columns) if shard else TRACKS.empty_table().select(columns)
        rows = pc.index_in(embeddings["track_id"], value_set=tracks["track_id"].combine_chunks())
        if rows.null_count:
            raise StoreError(
                f"{rows.null_count} tracks of {ref} are missing from shard {shard_of(part.name)} of {catalog}; run the "
                "pipeline again"
            )
        yield embeddings, tracks.take(rows)


def _tables(store: Store, ref: DatasetRef, keepers: Mapping[str, str]) -> Iterator[pa.Table]:
    """The rows of the file, one table per part of the embeddings."""
    model = str(store.manifest(ref).parent("model"))
    for embeddings, tracks in parts_with_tracks(store, ref, METADATA):
        track_ids = embeddings["track_id"].to_pylist()
        yield pa.Table.from_arrays(
            [
                *tracks.columns,
                pa.array([keepers.get(track_id) for track_id in track_ids], pa.string()),
                pa.array(numeric_ids(embeddings["track_id"])),
                embeddings["embedding"],
                pa.array([model] * len(track_ids), pa.string()),
            ],
            schema=SCHEMA,
        )


def _check_unique(numbers: np.ndarray, ref: DatasetRef) -> None:
    values, counts = np.unique(numbers, return_counts=True)
    if len(values) < len(numbers):
        raise StoreError(
            f"{ref}: {counts[counts > 1][0]} tracks have the numeric_id {values[counts > 1][0]}; give one of them "
            "another track_id in the catalog's manifest"
        )
