"""Points as answers show them: the ID, the payload, and the vector if it is wanted.

Conventions
-----------
- A payload has every key, null where the catalog does not know the value. `aliases` is there if the store has any.
"""

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Tag, model_validator

from audioae.api import Library
from audioae.library.listing import embeddings_at
from audioae.serve.qdrant.body import QdrantBody
from audioae.serve.qdrant.ids import point_id_of

COLUMNS = ("track_id", "title", "artist", "album", "label", "year", "duration_s", "uri", "added_at")
ALIASES = "aliases"

PayloadKey = Literal[
    "track_id", "title", "artist", "album", "label", "year", "duration_s", "uri", "added_at", "aliases"
]


class PayloadSelector(QdrantBody):
    """`include` or `exclude`."""

    include: list[PayloadKey] | None = None
    exclude: list[PayloadKey] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("wanted one of include and exclude")
        return self


def _kind(value: Any) -> str | None:
    if isinstance(value, bool):
        return "=flag"
    return "=keys" if isinstance(value, list) else "=selector" if isinstance(value, dict | QdrantBody) else None


PayloadInterface = Annotated[
    Annotated[bool, Tag("=flag")]
    | Annotated[list[PayloadKey], Tag("=keys")]
    | Annotated[PayloadSelector, Tag("=selector")],
    Discriminator(
        _kind,
        custom_error_type="with_payload",
        custom_error_message="wanted true, false, a list of keys, include or exclude",
    ),
]


def payload_keys(wanted: "bool | list[PayloadKey] | PayloadSelector") -> frozenset[str]:
    """The keys to show.

    >>> sorted(payload_keys(PayloadSelector(include=["title"])))
    ['title']
    """
    every = frozenset((*COLUMNS, ALIASES))
    if isinstance(wanted, bool):
        return every if wanted else frozenset()
    if isinstance(wanted, PayloadSelector):
        return every - set(wanted.exclude) if wanted.exclude is not None else frozenset(wanted.include or ())
    return frozenset(wanted)


def points(
    library: Library,
    rows: np.ndarray,
    with_payload: "bool | list[PayloadKey] | PayloadSelector",
    with_vector: bool,
) -> list[dict[str, Any]]:
    """Points of indexed tracks.

    Parameters
    ----------
    library : Library
    rows : np.ndarray, shape (n,), int64
        Catalog rows.
    with_payload, with_vector
        As in the request.
    """
    track_ids = [str(track_id) for track_id in library.lookup.cells.texts["track_id"].take(rows.tolist())]
    found: list[dict[str, Any]] = [{"id": point_id_of(track_id)} for track_id in track_ids]
    if keys := payload_keys(with_payload):
        for point, payload in zip(found, _payloads(library, rows.tolist(), track_ids, keys), strict=True):
            point["payload"] = payload
    if with_vector:
        for point, vector in zip(found, embeddings_at(library, rows), strict=True):
            point["vector"] = vector
    return found


def _payloads(library: Library, rows: list[int], track_ids: list[str], keys: frozenset[str]) -> list[dict]:
    cells = {key: library.lookup.cells.column(key) for key in COLUMNS if key in keys}
    payloads: list[dict[str, Any]] = [{key: column[row] for key, column in cells.items()} for row in rows]
    if ALIASES in keys and library.aliases.namespaces:
        columns = {name: library.aliases.external_ids(name, track_ids) for name in library.aliases.namespaces}
        for i, payload in enumerate(payloads):
            payload[ALIASES] = {name: ids[i] for name, ids in columns.items() if ids[i] is not None}
    return payloads
