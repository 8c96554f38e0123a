"""Exports: embeddings and metadata in one Parquet file, for whoever does not read the store."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import
import pyarrow.parquet as pq

from audioae.errors import StoreError
from audioae.store.dataset import Store

METADATA = ("track_id", "uri", "title", "artist", "album", "label")


def export_embeddings(store: Store, out: str) -> int:
    """Write the current embeddings with their tracks' metadata; part by part, so that memory stays small.

    Returns the number of rows: track_id, uri, title, artist, album, label, embedding (fixed_size_list<float32>[128]),
    model.

    Raises
    ------
    StoreError
        If nothing is embedded yet, or `out` cannot be written.
    """
    ref = store.require("embeddings")
    manifest = store.manifest(ref)
    tracks = store.read(manifest.parent("tracks"), METADATA)
    model = str(manifest.parent("model"))
    path = Path(out)
    unfinished = path.with_name(f".{path.name}.unfinished")
    n_rows, writer = 0, None
    try:
        for part in store.iter_parts(ref, ["track_id", "embedding"]):
            rows = tracks.take(_rows_of(part["track_id"], tracks["track_id"]))
            table = rows.append_column("embedding", part["embedding"])
            table = table.append_column("model", pa.array([model] * len(table), pa.string()))
            writer = writer or pq.ParquetWriter(unfinished, table.schema)
            writer.write_table(table)
            n_rows += len(table)
        if writer:
            writer.close()
            unfinished.replace(path)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error}); name a file in a folder that exists") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return n_rows


def _rows_of(wanted: pa.ChunkedArray, track_ids: pa.ChunkedArray) -> pa.Array:
    rows = pc.index_in(wanted, value_set=track_ids.combine_chunks())
    if rows.null_count:
        raise StoreError(f"{rows.null_count} embeddings belong to no track of their catalog; run the pipeline again")
    return rows
