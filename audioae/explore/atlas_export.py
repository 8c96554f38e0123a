"""A Parquet file for Embedding Atlas: the map, the neighbors, and what is known of each track.

Conventions
-----------
- One row per embedding of the current index, in the order of the store. x and y are null without a map.
- `neighbors` has the 10 nearest rows of the file (row numbers from 0) with their cosine distances (1 - cosine), in the
  form that its option `--neighbors` takes. They are those that the index finds.
- `findings` are the checks that say "issue", separated by commas; null if none does.
- `audio` is the file's address; or with a server, that of the track's clip. A browser opens the latter.

Source: https://github.com/apple/embedding-atlas (command line: --x, --y, --neighbors, --audio).
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import
import pyarrow.parquet as pq

from audioae.catalog.paths import paths_of
from audioae.errors import StoreError
from audioae.library.export import parts_with_tracks
from audioae.library.generation import Generation
from audioae.library.track_ids import TrackIds
from audioae.maps.reader import CatalogMap, find_map, open_map
from audioae.output import whole_file
from audioae.pipeline.index_neighbors import nearest_others
from audioae.search.embeddings import EmbeddingTable
from audioae.store.schemas import FINDINGS, TRACKS

K = 10
BLOCK = 1 << 14
SHOWN = ("track_id", "title", "artist", "album", "label", "year", "duration_s")
READ = (*SHOWN, "uri", "path_bytes")
NEIGHBORS = pa.struct([pa.field("ids", pa.list_(pa.int64())), pa.field("distances", pa.list_(pa.float32()))])
SCHEMA = pa.schema(
    [
        *(TRACKS.field(name) for name in SHOWN),
        pa.field("region", pa.string()),
        pa.field("findings", pa.string()),
        pa.field("x", pa.float32()),
        pa.field("y", pa.float32()),
        pa.field("neighbors", NEIGHBORS),
        pa.field("audio", pa.string()),
    ]
)


def export_atlas(library: Generation, out: str, *, server: str | None = None) -> int:
    """Write the tracks of a library to one Parquet file.

    Parameters
    ----------
    library : Generation
    out : str
    server : str, optional
        The address of a server of this store, such as http://127.0.0.1:8000.

    Returns
    -------
    n_rows : int

    Raises
    ------
    StoreError
        If `out` cannot be written. Then no file is written.
    """
    ref = find_map(library.store, library.index_ref)
    catalog_map = open_map(library.store, ref) if ref else None
    n_rows = 0
    try:
        with whole_file(out) as unfinished, pq.ParquetWriter(unfinished, SCHEMA) as writer:
            for table in _tables(library, catalog_map, server):
                writer.write_table(table)
                n_rows += table.num_rows
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error}); name a file in a folder that exists") from error
    return n_rows


def _tables(library: Generation, catalog_map: CatalogMap | None, server: str | None) -> Iterator[pa.Table]:
    store, ref, findings = library.store, library.embeddings_ref, _issues(library)
    ids = pa.concat_arrays([chunk for part in store.iter_parts(ref, ["track_id"]) for chunk in part["track_id"].chunks])
    file_rows = TrackIds(ids).rows_of(library.index.read_ids())
    start = 0
    for part, tracks in parts_with_tracks(store, ref, READ):
        embeddings = EmbeddingTable.from_arrow(part, str(library.model_ref)).embeddings
        found = pc.index_in(part["track_id"], value_set=findings["track_id"])
        yield pa.Table.from_arrays(
            [
                *tracks.select(SHOWN).columns,
                *_places(catalog_map, part["track_id"].combine_chunks(), findings["checks"].take(found)),
                _neighbors(library, embeddings, start, file_rows),
                _addresses(tracks, server),
            ],
            schema=SCHEMA,
        )
        start += len(embeddings)


def _places(catalog_map: CatalogMap | None, track_ids: pa.StringArray, findings: pa.Array) -> list[pa.Array]:
    """The columns region, findings, x and y."""
    n = len(track_ids)
    if catalog_map is None:
        return [pa.nulls(n, pa.string()), findings, pa.nulls(n, pa.float32()), pa.nulls(n, pa.float32())]
    names = {region.region: region.name for region in catalog_map.regions}
    rows = catalog_map.ids.rows_of(track_ids)
    missing, points = rows < 0, catalog_map.points[rows]
    regions = np.where(missing, -1, catalog_map.region[rows]).tolist()
    places = [pa.array(points[:, axis], pa.float32(), mask=missing) for axis in (0, 1)]
    return [pa.array([names.get(region) for region in regions], pa.string()), findings, *places]


def _neighbors(library: Generation, embeddings: np.ndarray, start: int, file_rows: np.ndarray) -> pa.Array:
    blocks = [
        nearest_others(library.index, embeddings[i : i + BLOCK], start + np.arange(i, min(i + BLOCK, n)), file_rows, K)
        for n in [len(embeddings)]
        for i in range(0, n, BLOCK)
    ]
    scores = np.concatenate([np.empty((0, K), np.float32), *(block[0] for block in blocks)])
    rows = np.concatenate([np.empty((0, K), np.int64), *(block[1] for block in blocks)])
    present = rows >= 0
    offsets = np.append(0, np.cumsum(present.sum(axis=1))).astype(np.int32)
    distances = (1 - scores[present]).clip(min=0).astype(np.float32)
    lists = [pa.ListArray.from_arrays(offsets, values) for values in (rows[present].astype(np.int64), distances)]
    return pa.StructArray.from_arrays(lists, fields=list(NEIGHBORS))


def _issues(library: Generation) -> pa.Table:
    """track_id, and the checks by which the track is an issue."""
    store, ref = library.store, library.store.latest("findings")
    columns = ["track_id", "check", "is_issue"]
    parts = store.iter_parts(ref, columns) if ref else ()
    issues = [part.filter(part["is_issue"]).select(["track_id", "check"]) for part in parts]
    empty = FINDINGS.empty_table().select(["track_id", "check"])
    listed = pa.concat_tables([empty, *issues]).group_by("track_id", use_threads=False).aggregate([("check", "list")])
    checks = pc.binary_join(listed["check_list"], ", ")
    return pa.table({"track_id": listed["track_id"].combine_chunks(), "checks": checks.combine_chunks()})


def _addresses(tracks: pa.Table, server: str | None) -> pa.Array:
    if server:
        start = server.rstrip("/")
        texts = [f"{start}/v1/tracks/{quote(one, safe='')}/clip" for one in tracks["track_id"].to_pylist()]
    else:
        texts = [path if "://" in path else Path(path).absolute().as_uri() for path in paths_of(tracks)]
    return pa.array(texts, pa.string())
