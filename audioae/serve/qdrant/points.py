"""Points: retrieved by ID, searched, listed, counted.

Conventions
-----------
- A search is `Library.similar` with duplicates kept: Qdrant knows no duplicates, and each copy is a point of its own.
  The points that a query names are left out of its answer; a vector names none.
"""

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from audioae.api import Library
from audioae.errors import NoMatchError
from audioae.library.listing import count_tracks, count_values, page_of_tracks
from audioae.serve.problems import Problem
from audioae.serve.qdrant.answers import QdrantRoute, result
from audioae.serve.qdrant.bodies import (
    CountRequest,
    FacetRequest,
    PointsRequest,
    QueryBatch,
    QueryRequest,
    ScrollRequest,
    SearchParams,
)
from audioae.serve.qdrant.collections import check_collection
from audioae.serve.qdrant.filters import filters_of
from audioae.serve.qdrant.ids import point_id_of, track_id_of
from audioae.serve.qdrant.payload import points
from audioae.serve.requests import call, served_of
from audioae.similarity.search import Options

router = APIRouter(prefix="/collections/{collection}", route_class=QdrantRoute, tags=["qdrant"])


@router.post("/points/query")
async def query(request: Request, collection: str, body: QueryRequest) -> Response:
    """The nearest points to a point, a vector, or examples."""
    check_collection(request, collection)
    check_params(served_of(request).library, body.params, "params")
    found = await call(request, "search", lambda library: _nearest(library, body))
    return result(request, {"points": found})


@router.post("/points/query/batch")
async def query_batch(request: Request, collection: str, body: QueryBatch) -> Response:
    """The answers to several queries, in their order."""
    check_collection(request, collection)
    for i, search in enumerate(body.searches):
        check_params(served_of(request).library, search.params, f"searches[{i}].params")
    found = await call(request, "search", lambda library: [_nearest(library, search) for search in body.searches])
    return result(request, [{"points": points} for points in found])


@router.post("/points")
async def retrieve(request: Request, collection: str, body: PointsRequest) -> Response:
    """Points by their IDs, in the order of the request; unknown IDs are left out."""
    check_collection(request, collection)
    return result(request, await call(request, "search", lambda library: _retrieve(library, body)))


@router.post("/points/scroll")
async def scroll(request: Request, collection: str, body: ScrollRequest) -> Response:
    """A page of all points that pass."""
    check_collection(request, collection)
    return result(request, await call(request, "jobs", lambda library: _scroll(library, body)))


@router.post("/points/count")
async def count(request: Request, collection: str, body: CountRequest) -> Response:
    """How many points pass."""
    check_collection(request, collection)
    n = await call(request, "jobs", lambda library: count_tracks(library, filters_of(body.filter)))
    return result(request, {"count": n})


@router.post("/facet")
async def facet(request: Request, collection: str, body: FacetRequest) -> Response:
    """The most frequent values of a key."""
    check_collection(request, collection)
    counts = await call(request, "jobs", lambda library: count_values(library, body.key, filters_of(body.filter)))
    hits = [{"value": value, "count": n} for value, n in list(counts.items())[: body.limit]]
    return result(request, {"hits": hits})


@router.get("/points/{point_id:path}")
async def point(request: Request, collection: str, point_id: str) -> Response:
    """One point. An ID of digits is an integer; if there is no such point, it is a track_id."""
    check_collection(request, collection)
    is_number = point_id.isdecimal() and len(point_id) <= 20 and int(point_id) < 2**64
    forms: list[int | str] = [int(point_id), point_id] if is_number else [point_id]
    found = await call(
        request, "search", lambda library: _retrieve(library, PointsRequest(ids=forms, with_vector=True))
    )
    if not found:
        raise Problem(404, f"Not found: Point with id {point_id} does not exist")
    return result(request, found[0])


def check_params(library: Library, params: SearchParams, where: str) -> None:
    """Raise a `Problem` if a search cannot be as exact as it is wanted to be."""
    if library.index.factory == "Flat":
        return
    for name, value in (("exact", params.exact), ("hnsw_ef", params.hnsw_ef is not None)):
        if value:
            raise Problem(
                400,
                f"{where}.{name} is not supported: {library.index.factory} searches with a recall that was set when it "
                "was built",
                action=f"leave {name} out, or build a Flat index",
            )


def _nearest(library: Library, body: QueryRequest) -> list[dict[str, Any]]:
    seeds, minus = body.seeds()
    options = Options(filters_of(body.filter), keep_duplicates=True)
    try:
        neighbors = library.similar(seeds, body.offset + body.limit, minus=minus, options=options).neighbors
    except NoMatchError:
        return []
    lowest = -np.inf if body.score_threshold is None else body.score_threshold
    shown = [neighbor for neighbor in neighbors[body.offset :] if neighbor.score >= lowest]
    rows = library.lookup.rows_of([neighbor.track_id for neighbor in shown])
    scored = points(library, rows, body.with_payload, body.with_vector)
    return [{**point, "version": 0, "score": hit.score} for point, hit in zip(scored, shown, strict=True)]


def _retrieve(library: Library, body: PointsRequest) -> list[dict[str, Any]]:
    rows = library.lookup.rows_of([*dict.fromkeys(map(track_id_of, body.ids))])
    rows = rows[rows >= 0]
    indexed = rows[library.alignment.index_row[rows] >= 0]
    return points(library, indexed, body.with_payload, body.with_vector)


def _scroll(library: Library, body: ScrollRequest) -> dict[str, Any]:
    start = "" if body.offset is None else track_id_of(body.offset)
    page = page_of_tracks(library, body.limit, start=start, filters=filters_of(body.filter))
    after = None if page.next_id is None else point_id_of(page.next_id)
    return {"points": points(library, page.rows, body.with_payload, body.with_vector), "next_page_offset": after}
