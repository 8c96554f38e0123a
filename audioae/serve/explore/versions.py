"""`GET /v1/versions`: the versions of the index, and what changed from one to another.

Conventions
-----------
- A version is named `index@...` or `embeddings@...`; a comparison is of the embeddings that an index was built from.
- A comparison is computed once per pair and kept; of large catalogs a random sample is measured (`measured`).
- Arrays are in the rows of the served map, as in `audioae.serve.explore.map`.
"""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response

from audioae.api import Library
from audioae.errors import DamageError
from audioae.evaluation.compare_versions import MAX_TRACKS, VersionComparison, compare_versions
from audioae.evaluation.version_groups import map_of
from audioae.explore.version_points import VersionPoints, version_points
from audioae.maps.reader import find_map
from audioae.serve.explore.bodies import BINARY, ask_map, binary, map_version
from audioae.serve.explore.once import Once
from audioae.serve.explore.version_bodies import ComparisonModel, VersionsModel
from audioae.serve.problems import Problem
from audioae.serve.requests import call, respond, served_of
from audioae.store.manifest import DatasetRef

router = APIRouter(prefix="/v1", tags=["explorer"])

KEPT = 6
MOST = 100  # versions in the list
PAIRS = 1e9  # of tracks that a request may compare
MIN_TRACKS = 1000

Ref = Annotated[
    str, Query(pattern=r"^(index|embeddings)@[0-9A-Za-z_][0-9A-Za-z_-]{0,80}$", examples=["index@0bbe345f6188"])
]
MAPPED = [Depends(map_version)]
AS_BYTES: dict = {200: BINARY, 304: {"description": "The client has it already."}, 404: {}, 409: {}}


@router.get("/versions", responses={200: {"model": VersionsModel}})
async def versions(request: Request) -> Response:
    """The versions of the index that can be compared, newest first."""
    return respond(request, {"versions": await call(request, "jobs", _versions)})


@router.get("/versions/compare", responses={200: {"model": ComparisonModel}, 404: {}})
async def compare(request: Request, a: Ref, b: Ref | None = None) -> Response:
    """What changed from version `a` to `b` (default: the served index): neighbors, labels, regions and hubs."""
    return respond(request, (await _compared(request, a, b)).document)


@router.get("/versions/compare/overlap", responses=AS_BYTES, response_class=Response, dependencies=MAPPED)
async def overlap(request: Request, a: Ref, b: Ref | None = None) -> Response:
    """The share of its neighbors that each row keeps: float32, NaN where it was not measured."""
    opened = await ask_map(request, lambda opened: opened)
    compared = await _compared(request, a, b)
    values = np.full(len(opened), np.nan, "<f4")
    rows = await call(request, "jobs", lambda library: opened.rows_of(compared.track_ids.to_pylist()))
    values[rows[rows >= 0]] = compared.overlap[rows >= 0]
    return binary(request, values, f"{opened.version}-{compared['a']['ref']}-{compared['b']['ref']}-overlap")


@router.get("/versions/points", responses=AS_BYTES, response_class=Response, dependencies=MAPPED)
async def points(request: Request, index: Ref) -> Response:
    """x and y of each row in another version, brought onto the served map: float32, NaN where it has no place."""
    opened = await ask_map(request, lambda opened: opened)
    ref = await call(request, "jobs", lambda library: _known(library, index, "index"))
    store = opened.library.store
    source = await call(request, "jobs", lambda library: find_map(store, ref) if ref.dataset == "index" else None)
    key = ("points", opened.version, str(ref), str(source))
    found: VersionPoints = await _once(request).get(
        key, lambda: call(request, "jobs", lambda library: version_points(opened, ref))
    )
    return binary(request, found.points.astype("<f4", copy=False), "-".join(key))


async def _compared(request: Request, a: str, b: str | None) -> VersionComparison:
    later = b or served_of(request).names["index"]

    def pair(library: Library) -> tuple[DatasetRef, DatasetRef, str]:
        refs = _known(library, a, "a"), _known(library, later, "b")
        return *refs, str([map_of(library.store, ref) for ref in refs if ref.dataset == "index"])

    one, other, maps = await call(request, "jobs", pair)
    return await _once(request).get(
        ("comparison", one, other, maps),
        lambda: call(request, "jobs", lambda library: _compare(library, one, other)),
    )


def _compare(library: Library, a: DatasetRef, b: DatasetRef) -> VersionComparison:
    n = max(library.store.manifest(library.embeddings_ref).rows, 1)
    return compare_versions(library.store, a, b, max_tracks=int(np.clip(PAIRS / n, MIN_TRACKS, MAX_TRACKS)), top=50)


def _once(request: Request) -> Once:
    """The computations of this process; made with the first request."""
    state = request.app.state
    if not hasattr(state, "versions_once"):
        state.versions_once = Once(KEPT)
    return state.versions_once


def _known(library: Library, ref: str, where: str) -> DatasetRef:
    """A version that the store has."""
    parsed = DatasetRef.parse(ref)
    try:
        library.store.manifest(parsed)
    except DamageError as error:
        raise Problem(
            404, f"there is no version {ref}", where=where, action="see GET /v1/versions", kind="unknown-version"
        ) from error
    return parsed


def _versions(library: Library) -> list[dict[str, Any]]:
    store, rows = library.store, []
    for ref in store.whole_versions("index")[:MOST]:
        manifest = store.manifest(ref)
        embeddings = manifest.parent("embeddings")
        parent = store.manifest(embeddings)
        rows.append(
            {
                "ref": str(ref),
                "embeddings": str(embeddings),
                "model": str(parent.parent("model")),
                "published": manifest.published_at.isoformat() if manifest.published_at else None,
                "tracks": parent.rows,
                "served": ref == library.index_ref,
                "points": "map" if find_map(store, ref) else "neighbors",
            }
        )
    return rows
