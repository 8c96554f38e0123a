"""`GET /v1/map`, its points and its columns; tracks by row; which of them pass filters.

Conventions
-----------
- A row is the number of a track on the map, 0 to n - 1: the same in points, columns, masks and selections. It belongs
  to the map's `version`. A client that sends it in the header X-Map-Version gets 409 from another map, and not other
  tracks.
- Arrays are little-endian. They have an ETag: a client that sends it in `If-None-Match` gets 304 while they stay.
"""

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel

from audioae.explore.latent_facts import is_two_dimensional
from audioae.explore.track_map import TrackMap
from audioae.serve.explore.bodies import BINARY, RowsRequest, ask_map, binary, map_version
from audioae.serve.models import FiltersModel
from audioae.serve.problems import Problem
from audioae.serve.requests import respond, service_of

router = APIRouter(prefix="/v1", tags=["explorer"], dependencies=[Depends(map_version)])

Name = Annotated[str, Path(max_length=100, examples=["label"])]
AS_BYTES: dict = {200: BINARY, 304: {"description": "The client has it already."}, 404: {}, 409: {}}


class RegionModel(BaseModel):
    """A region of the map: `n` tracks; its name belongs at `x`, `y`."""

    region: int
    name: str
    n: int
    x: float
    y: float


class ColumnModel(BaseModel):
    """What the tracks can be colored by."""

    name: str
    title: str
    kind: Literal["category", "number", "time"]
    unit: str


class MapModel(BaseModel):
    """The map: `n` tracks within `bounds` (x0, y0, x1, y1); `outdated` has a sentence if it is of another index."""

    index: str
    model: str
    map: str
    version: str
    outdated: str | None
    n: int
    bounds: list[float]
    regions: list[RegionModel]
    columns: list[ColumnModel]
    two_dimensional_vae: bool
    audio: Literal["clips", "files", "none"]


class ValueModel(BaseModel):
    """What a code means, and how many tracks have it; "other" is every code that is not listed, but 65535."""

    code: int | Literal["other"]
    value: str
    n: int


class LegendModel(BaseModel):
    """A category has `values`, the most frequent first; a number its range, from all `n` tracks that have it."""

    index: str
    model: str
    kind: Literal["category", "number", "time"]
    values: list[ValueModel] | None = None
    min: float | None = None
    p1: float | None = None
    p50: float | None = None
    p99: float | None = None
    max: float | None = None
    n: int | None = None
    unit: str | None = None


class MapTrackModel(BaseModel):
    """A track of the map."""

    row: int
    x: float
    y: float
    track_id: str
    title: str | None
    artist: str | None
    album: str | None
    label: str | None
    uri: str
    year: int | None
    duration_s: float | None
    region: str | None
    finding: str | None


class RowsModel(BaseModel):
    """The tracks in the order in which they were asked for; null for those that are not on the map."""

    index: str
    model: str
    version: str
    rows: list[MapTrackModel | None]


@router.get("/map", responses={200: {"model": MapModel}, 404: {}})
async def map_of_tracks(request: Request) -> Response:
    """The map of the catalog: its size, its regions, and the columns that its points can be colored by."""
    audio = getattr(service_of(request).config, "audio", "none")
    return respond(request, {**await ask_map(request, _document, look=True), "audio": audio})


@router.get("/map/points", responses=AS_BYTES, response_class=Response)
async def points(request: Request) -> Response:
    """x and y of each row: float32, 8 bytes a track."""
    opened = await ask_map(request, lambda opened: opened)
    return binary(request, opened.points, f"{opened.version}-points")


@router.get("/map/columns/{name}", responses=AS_BYTES, response_class=Response)
async def column(request: Request, name: Name) -> Response:
    """A column's value of each row: codes (uint16, 65535 for none) of a category, else float32 (NaN for none)."""

    def values(opened: TrackMap) -> tuple[np.ndarray, str]:
        _check(opened, name)
        return opened.columns.values(name), f"{opened.columns.tag(name)}-{name}"

    return binary(request, *await ask_map(request, values))


@router.get("/map/columns/{name}/legend", responses={200: {"model": LegendModel}, 404: {}, 409: {}})
async def legend(request: Request, name: Name) -> Response:
    """What a column's codes mean, or the range of its numbers."""

    def made(opened: TrackMap) -> dict[str, Any]:
        _check(opened, name)
        return opened.columns.legend(name)

    return respond(request, await ask_map(request, made))


@router.post("/map/rows", responses={200: {"model": RowsModel}, 404: {}, 409: {}})
async def rows(request: Request, body: RowsRequest) -> Response:
    """Who some tracks of the map are: up to 1,000, by row or by track_id."""

    def found(opened: TrackMap) -> dict[str, Any]:
        wanted = opened.rows_of(body.track_ids).tolist() if body.track_ids is not None else body.rows or []
        return {"version": opened.version, "rows": opened.tracks(wanted)}

    return respond(request, await ask_map(request, found, "search"))


@router.post("/map/mask", responses={200: BINARY, 404: {}, 409: {}}, response_class=Response)
async def mask(request: Request, body: FiltersModel) -> Response:
    """Which rows pass the filters: a bit a track, the first in the lowest bit of the first byte."""

    def bits(opened: TrackMap) -> np.ndarray:
        return np.packbits(opened.mask(body.to_filters()), bitorder="little")

    return Response((await ask_map(request, bits)).tobytes(), media_type="application/octet-stream")


def _check(opened: TrackMap, name: str) -> None:
    if name not in opened.columns.present:
        raise Problem(
            404, f"the map has no column {name!r}", action=f"take one of: {', '.join(opened.columns.present)}"
        )


def _document(opened: TrackMap) -> dict[str, Any]:
    regions = [{name: getattr(one, name) for name in RegionModel.model_fields} for one in opened.regions]
    return {
        "map": str(opened.ref),
        "version": opened.version,
        "outdated": opened.outdated,
        "n": len(opened),
        "bounds": opened.bounds,
        "regions": regions,
        "columns": [vars(one) for one in opened.columns.present.values()],
        "two_dimensional_vae": is_two_dimensional(opened.library),
    }
