"""What the explorer's endpoints share: the map that a request is about, its bodies, and files that are not JSON."""

from collections.abc import Callable
from typing import Annotated, Self, TypeVar

import numpy as np
from fastapi import Header, Request, Response
from pydantic import Field, model_validator

from audioae.errors import MapChangedError, NotMappedError
from audioae.explore.mapped_tracks import MAX_ROWS
from audioae.explore.polygon import MAX_VERTICES
from audioae.explore.track_map import TrackMap
from audioae.serve.models import Body, FiltersModel, Finite, Ids
from audioae.serve.problems import Problem
from audioae.serve.requests import call

T = TypeVar("T")

MAX_TRACKS = 1000
BINARY: dict = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}

VERSION = "X-Map-Version"
Row = Annotated[int, Field(ge=0, lt=1 << 31)]
Vertex = Annotated[list[Finite], Field(min_length=2, max_length=2)]


async def map_version(
    version: Annotated[str | None, Header(alias=VERSION, max_length=100, description="`version` of /v1/map")] = None,
) -> None:
    """A dependency, for OpenAPI: the header that every endpoint of the map takes."""


class RowsRequest(Body):
    """Tracks by row or by track_id."""

    rows: Annotated[list[Row], Field(max_length=MAX_TRACKS)] | None = None
    track_ids: Annotated[Ids, Field(max_length=MAX_TRACKS)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.rows is None) == (self.track_ids is None):
            raise ValueError("wanted exactly one of rows and track_ids")
        return self


class SelectionRequest(Body):
    """The tracks inside of a polygon, or some rows; of these, or of all, those that pass the filters."""

    polygon: Annotated[list[Vertex], Field(min_length=3, max_length=MAX_VERTICES)] | None = None
    rows: Annotated[list[Row], Field(max_length=MAX_ROWS)] | None = None
    filters: FiltersModel | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.polygon is not None and self.rows is not None:
            raise ValueError("wanted one of polygon and rows")
        if self.polygon is None and self.rows is None and self.filters is None:
            raise ValueError("wanted a polygon, rows or filters")
        return self


async def ask_map(request: Request, function: Callable[[TrackMap], T], pool: str = "jobs", *, look=False) -> T:
    """Call `function` with the map of the request's library in a pool; `look` for a newer one first."""
    version = request.headers.get(VERSION)
    try:
        return await call(request, pool, lambda library: function(library.map(version, look=look)))
    except NotMappedError as error:
        raise Problem(
            404, "the index has no map yet", action="run `audioae run map CONFIG`", kind="not-mapped"
        ) from error
    except MapChangedError as error:
        detail, _, action = str(error).rpartition("; ")
        raise Problem(409, detail, action=action, where=VERSION, kind="map-changed") from error


def binary(request: Request, array: np.ndarray, tag: str) -> Response:
    """The bytes of an array, little-endian, where they are; 304 if the client has them."""
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if known & {headers["ETag"], "*"}:
        return Response(status_code=304, headers=headers)
    return Response(array.data.cast("B"), media_type="application/octet-stream", headers=headers)
