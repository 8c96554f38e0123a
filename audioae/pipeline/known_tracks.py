"""The catalog so far, as the table `known` of a temporary database."""

import os

import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.catalog.database import Database, encoded
from audioae.catalog.files import READ
from audioae.catalog.sources import CatalogConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import TRACKS

KNOWN = pa.schema(
    [
        ("row", pa.int64()),
        ("track_id", pa.string()),
        ("uri", pa.string()),
        ("shard", pa.int32()),
        ("added_at", pa.int64()),  # microseconds since 1970
        ("is_kept", pa.bool_()),  # whether it is no duplicate
        *READ,
    ]
)
_ALWAYS = ("track_id", "uri", "path_bytes", "shard", "added_at", "duplicate_of", "content_hash", "audio_hash", "genres")
_OF_MANIFESTS = ("size_bytes", "modified_ns", "duration_s")


def load_known(db: Database, store: Store, tracks: DatasetRef | None, config: CatalogConfig) -> dict[str, None]:
    """Make the table `known` of the rows of `tracks`, in their order.

    Parameters
    ----------
    db : Database
    store : Store
    tracks : DatasetRef, optional
        None: there is no catalog yet.
    config : CatalogConfig
        What it does not need is null.

    Returns
    -------
    labels : dict of str to None
        The labels of the catalog, in order.
    """
    db.create("known", KNOWN)
    wanted: set[str] = set(_ALWAYS)
    if not config.trusts_hashes:
        wanted.update(_OF_MANIFESTS if config.is_manifest else tuple(READ.names))
    labels: dict[str, None] = {}
    n_rows = 0
    for part in store.iter_parts(tracks, [name for name in TRACKS.names if name in wanted]) if tracks else ():
        labels.update(dict.fromkeys(pc.list_flatten(part["genres"]).unique().to_pylist()))
        columns = {
            **{name: part[name] for name in part.column_names if name in KNOWN.names},
            "row": pa.array(range(n_rows, n_rows + len(part)), pa.int64()),
            "path": _paths(part),
            "added_at": part["added_at"].cast(pa.int64()),
            "is_kept": part["duplicate_of"].is_null(),
        }
        db.insert("known", pa.table(columns))
        n_rows += len(part)
    return labels


def _paths(tracks: pa.Table) -> pa.ChunkedArray:
    """Paths as they are in a database."""
    other = tracks["path_bytes"]
    if other.null_count < len(tracks):
        paths = [None if path is None else encoded(os.fsdecode(path)) for path in other.to_pylist()]
        other = pa.chunked_array([pa.array(paths, pa.binary())])
    return pc.coalesce(other, tracks["uri"].cast(pa.binary()))
