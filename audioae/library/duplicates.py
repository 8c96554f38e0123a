"""Near duplicates among embeddings, and which track of a recording is shown or counted.

Questions to an index use the index's own groups (`alignment.RowAlignment`). Questions to embeddings use the groups of
an index that was built from them (`known_copies`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.pipeline.index_neighbors import read_index_neighbors
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

SHOWN = ("track_id", "artist", "album", "label", "year", "duration_s", "uri", "title")


class Copies(NamedTuple):
    """Near duplicates among embeddings, and the index that knows them; None if no index does.

    `keepers` maps the track_id of every copy to the track that represents its recording.
    """

    keepers: dict[str, str]
    index: DatasetRef | None


def known_copies(store: Store, embeddings: DatasetRef) -> Copies:
    """The copies found by the index built from `embeddings`: the current index if it was, else the newest that was."""
    current = store.latest("index")
    for ref in [*([current] if current else []), *(ref for ref, _ in store.versions("index") if ref != current)]:
        if store.manifest(ref).parents.get("embeddings") != embeddings.version:
            continue
        if (neighbors := read_index_neighbors(store, ref)) is not None:
            group = neighbors["duplicate_group"]
            copies = neighbors.filter(pc.fill_null(pc.not_equal(group, neighbors["track_id"]), False))
            pairs = zip(copies["track_id"].to_pylist(), copies["duplicate_group"].to_pylist(), strict=True)
            return Copies(dict(pairs), ref)
    return Copies({}, None)


def rows_with_copies(tracks: pa.Table, track_ids: Sequence[str], keepers: Mapping[str, str]) -> dict[str, int]:
    """For every track of a catalog, the position in `track_ids` of the track that represents its recording.

    Parameters
    ----------
    tracks : pa.Table
        The catalog; `duplicate_of` gives the copies with the same bytes.
    track_ids : sequence of str
    keepers : mapping of str to str
        The near duplicates, as in `Copies`; a copy is represented by its keeper if that is among `track_ids`.
    """
    position = {keepers.get(track_id, track_id): row for row, track_id in enumerate(track_ids)}
    position |= {track_id: row for row, track_id in enumerate(track_ids) if track_id not in keepers}
    embedded = pc.coalesce(tracks["duplicate_of"], tracks["track_id"]).to_pylist()
    recordings = zip(tracks["track_id"].to_pylist(), (keepers.get(one, one) for one in embedded), strict=True)
    return {track_id: position[recording] for track_id, recording in recordings if recording in position}


def substitutes(tracks: pa.Table, passed: np.ndarray) -> dict[str, dict[str, Any]]:
    """Among byte-identical tracks, the one to show: the first that passes the filters, by the track_id that does not.

    Parameters
    ----------
    tracks : pa.Table
        The catalog.
    passed : np.ndarray, shape (n,), bool
        Which of its tracks pass the filters.

    Returns
    -------
    shown : dict of str to dict
        For each embedded track that does not pass: the columns `SHOWN` of its first byte-identical track that does.
    """
    if passed.all():
        return {}
    copies = tracks.select([*SHOWN, "duplicate_of"]).filter(
        pc.and_(pa.array(passed), tracks["duplicate_of"].is_valid())
    )
    embedded = pc.is_in(tracks["track_id"], value_set=copies["duplicate_of"])
    passing = tracks["track_id"].filter(pc.and_(pa.array(passed), embedded))
    copies = copies.filter(pc.invert(pc.is_in(copies["duplicate_of"], value_set=passing)))
    rows = reversed(copies.to_pylist())
    return {row.pop("duplicate_of"): {**row, "title": row["title"] or Path(row["uri"]).stem} for row in rows}
