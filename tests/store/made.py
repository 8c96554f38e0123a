"""Small datasets to put into a store."""

import pyarrow as pa

from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import REJECTS


def rejects(*track_ids: str) -> pa.Table:
    """Rows of the dataset `rejects`."""
    rows = [{"track_id": t, "stage": "mels", "reason": "silent", "detail": "peak -90 dB"} for t in track_ids]
    return pa.Table.from_pylist(rows, schema=REJECTS)


def commit(store: Store, **parts: tuple[str, ...]) -> DatasetRef:
    """A version of `rejects` with these parts, by their names."""
    for name, track_ids in parts.items():
        store.write_part("rejects", name, rejects(*track_ids))
    return store.commit("rejects", list(parts), recipe="-".join(parts), config={})
