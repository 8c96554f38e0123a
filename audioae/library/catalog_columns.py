"""The columns of a catalog as queries read them: mapped tables, sorted IDs, and numbers to filter by.

Conventions
-----------
- Everything is in the order of the dataset `tracks`: a row is a position in it.
- Texts to filter by are codes (`library.vocabulary`), -1 where the text is unknown; other values are numbers, which are
  NaN where they are unknown. Times are microseconds since 1970 (UTC).
- What is derived from the catalog is written once, in blocks, and then mapped: a query touches the pages that it needs,
  and processes share them.

Why: the whole catalog in memory took 0.9 GB and 4 s of CPU at each start at 1,000,000 tracks, in every process, and a
filter compared a million texts for each query.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.library.array_files import ArrayFiles, FilesInMemory, derived_files, write_table
from audioae.library.columns import EPOCH
from audioae.library.shown_rows import SCHEMA, ShownRows, shown_records
from audioae.library.track_ids import TrackIds, fixed_width
from audioae.library.vocabulary import Vocabulary, make_vocabulary
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import TRACKS

KIND = "catalog-2"  # another number when other files are written
BLOCK = 1 << 17  # tracks in memory while they are written
CODED = ("label", "artist", "album")
NUMBERS = ("year", "duration_s")


class CatalogColumns:
    """The columns of one version of `tracks`.

    Attributes
    ----------
    tracks : pa.Table
        The dataset, mapped.
    shown : ShownRows
        What answers show of each track.
    ids : TrackIds
    codes : dict of str to np.ndarray, shape (n_tracks,), int32
        Of label, artist and album.
    vocabularies : dict of str to Vocabulary
    numbers : dict of str to np.ndarray, shape (n_tracks,), float64
        year and duration_s.
    added_at : np.ndarray, shape (n_tracks,), int64
    """

    def __init__(self, files: ArrayFiles):
        self.tracks = files.table("tracks")
        self.shown = ShownRows(files.table("shown"))
        self.ids = TrackIds.from_sorted(files.array("sorted_ids"), files.array("sorted_rows"))
        self.codes = {name: files.array(name) for name in CODED}
        self.vocabularies = {name: Vocabulary(files.table(name)) for name in CODED}
        self.numbers = {name: files.array(name) for name in NUMBERS}
        self.added_at = files.array("added_at")

    def __len__(self) -> int:
        return self.tracks.num_rows

    @classmethod
    def of(cls, tracks: pa.Table) -> "CatalogColumns":
        """Of a table in memory; columns that it does not have are unknown."""
        files = FilesInMemory()
        write_columns(files, [tracks], tracks.schema)
        return cls(files)


def open_columns(store: Store, ref: DatasetRef) -> CatalogColumns:
    """The columns of a version of `tracks`: mapped, or in memory if the store verifies all that it reads."""
    hashes = [part.sha256 for part in store.manifest(ref).parts]
    return CatalogColumns(
        derived_files(
            KIND,
            hashes,
            lambda files: write_columns(files, store.iter_parts(ref), TRACKS),
            cache=not store.verify_reads,
        )
    )


def write_columns(files: ArrayFiles, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write what `CatalogColumns` reads, from the parts of `tracks`."""
    ids, numbers, texts = [], {name: [] for name in (*NUMBERS, "added_at")}, {name: [] for name in CODED}
    with (
        files.sink("tracks") as sink,
        pa.ipc.new_file(sink, schema) as writer,
        files.sink("shown") as shown_sink,
        pa.ipc.new_file(shown_sink, SCHEMA) as shown,
    ):
        for block in _blocks(tables):
            writer.write_batch(block)
            shown.write_batch(shown_records(block))
            ids.append(fixed_width(_column(block, "track_id", pa.string())))
            for name in NUMBERS:
                numbers[name].append(_numbers(block, name))
            times = _column(block, "added_at", pa.timestamp("us", "UTC")).cast(pa.int64())
            numbers["added_at"].append(pc.fill_null(times, np.iinfo(np.int64).min).to_numpy())
            for name in CODED:
                texts[name].append(_column(block, name, pa.string()).dictionary_encode())
    sorted_ids = TrackIds.sort(np.concatenate([np.empty(0, "S1"), *ids]))
    files.write("sorted_ids", sorted_ids[0])
    files.write("sorted_rows", sorted_ids[1])
    for name, blocks in numbers.items():
        kind = np.int64 if name == "added_at" else np.float64
        files.write(name, np.concatenate([np.empty(0, kind), *blocks]))
    for name, blocks in texts.items():
        _write_codes(files, name, blocks)


def microseconds(time: datetime) -> int:
    """Since 1970; a time without a time zone is UTC.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


def _write_codes(files: ArrayFiles, name: str, blocks: list[pa.DictionaryArray]) -> None:
    kind = pa.dictionary(pa.int32(), pa.string())
    encoded = pa.chunked_array(blocks, kind).unify_dictionaries()
    table, codes = make_vocabulary(encoded.chunk(0).dictionary if blocks else pa.array([], pa.string()))
    write_table(files, name, table)
    codes = np.append(codes, np.int32(-1))  # null is the last of them
    indices = [pc.fill_null(chunk.indices, -1).to_numpy() for chunk in encoded.chunks]
    files.write(name, codes[np.concatenate([np.empty(0, np.int32), *indices])])


def _blocks(tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    """The rows of many tables in blocks of about `BLOCK`."""
    waiting, n = [], 0
    for table in tables:
        waiting.append(table)
        n += table.num_rows
        if n >= BLOCK:
            yield from pa.concat_tables(waiting).combine_chunks().to_batches()
            waiting, n = [], 0
    if n:
        yield from pa.concat_tables(waiting).combine_chunks().to_batches()


def _column(block: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array:
    return block.column(name) if name in block.schema.names else pa.nulls(block.num_rows, kind)


def _numbers(block: pa.RecordBatch, name: str) -> np.ndarray:
    return _column(block, name, pa.float64()).cast(pa.float64()).to_numpy(zero_copy_only=False)
