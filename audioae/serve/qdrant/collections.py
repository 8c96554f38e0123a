"""`GET /`, and what there is to ask: one collection, the indexed tracks of the catalog."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from audioae.api import Library
from audioae.serve.problems import Problem
from audioae.serve.qdrant.answers import QdrantRoute, result
from audioae.serve.qdrant.filters import Key, type_of
from audioae.serve.requests import call, respond, service_of

router = APIRouter(route_class=QdrantRoute, tags=["qdrant"])

PROTOCOL = "1.20.0"
"""The version of Qdrant whose API this is; clients compare it with their own."""


@router.get("/")
async def version(request: Request) -> Response:
    """What answers here."""
    return respond(request, {"title": "audioae, as Qdrant's clients see it (read only)", "version": PROTOCOL})


@router.get("/collections")
async def collections(request: Request) -> Response:
    """The one collection."""
    return result(request, {"collections": [{"name": service_of(request).config.collection}]})


@router.get("/collections/{collection}/exists")
async def exists(request: Request, collection: str) -> Response:
    """Whether it is this one."""
    return result(request, {"exists": collection == service_of(request).config.collection})


@router.get("/collections/{collection}")
async def info(request: Request, collection: str) -> Response:
    """Its size, its vectors, and the keys that filters may use."""
    check_collection(request, collection)
    return result(request, await call(request, "jobs", collection_info))


def check_collection(request: Request, name: str) -> None:
    """Raise a `Problem` unless the collection is the one that is served."""
    served = service_of(request).config.collection
    if name != served:
        raise Problem(404, f"Not found: Collection `{name}` doesn't exist", action=f"the collection is {served!r}")


def collection_info(library: Library) -> dict[str, Any]:
    """What a client wants to know of a collection.

    What describes a graph, segments or a log of writes says that there are none: `hnsw_config.m` is 0.
    """
    n = len(library.alignment.by_index)
    return {
        "status": "green",
        "optimizer_status": "ok",
        "indexed_vectors_count": n,
        "points_count": n,
        "segments_count": 1,
        "config": {
            "params": {
                "vectors": {"size": library.index.dim, "distance": "Cosine"},
                "shard_number": 1,
                "replication_factor": 1,
                "write_consistency_factor": 1,
                "on_disk_payload": False,
            },
            "hnsw_config": {"m": 0, "ef_construct": 0, "full_scan_threshold": 0},
            "optimizer_config": {"default_segment_number": 1, "flush_interval_sec": 0},
            "metadata": {
                "index": str(library.index_ref),
                "model": str(library.model_ref),
                "factory": library.index.factory,
                "recall": library.index.measured.get("recall"),
            },
        },
        "payload_schema": _payload_schema(library),
    }


def _payload_schema(library: Library) -> dict[str, Any]:
    indexed = library.alignment.index_row >= 0
    schema = {}
    for key in Key.__args__:
        known = library.tracks[key].is_valid().to_numpy()
        schema[key] = {"data_type": type_of(key), "points": int(np.count_nonzero(known & indexed))}
    return schema
