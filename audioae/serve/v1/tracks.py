"""`GET /v1/tracks/{track_id}`: a track and its state. `GET /v1/tracks?query=`: the only place that knows titles."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from audioae.library.track_search import MAX_LIMIT
from audioae.library.track_state import TrackState
from audioae.serve.requests import call, respond

router = APIRouter(prefix="/v1", tags=["tracks"])

MAX_OFFSET = 1 << 40
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]


class FoundModel(BaseModel):
    """A track of the catalog, whether or not it can be searched."""

    track_id: str
    title: str | None
    artist: str | None
    album: str | None
    label: str | None
    year: int | None
    duration_s: float | None
    uri: str
    duplicate_of: str | None


class TrackModel(FoundModel):
    """A track and its state; `reason` and `detail` say why it has no embedding."""

    index: str
    model: str
    artists: list[str] | None
    genres: list[str] | None
    added_at: datetime | None
    state: Literal["embedded", "duplicate", "rejected", "pending"]
    indexed: bool
    copy_of: str | None
    reason: str | None
    detail: str | None
    retry_at: datetime | None
    aliases: dict[str, str]


class TrackPageModel(BaseModel):
    """Tracks that match, the best first, from `offset` on; `total` is the number of all that match."""

    index: str
    model: str
    tracks: list[FoundModel]
    total: int
    offset: int


@router.get("/tracks", responses={200: {"model": TrackPageModel}})
async def tracks(
    request: Request, query: Annotated[str, Query(max_length=1000)] = "", limit: Limit = 20, offset: Offset = 0
) -> Response:
    """Search by title, artist or the beginning of a track_id; without a text, all tracks, in the catalog's order."""
    page = await call(request, "jobs", lambda library: library.search_tracks(query, limit, offset))
    return respond(request, {"tracks": page.tracks, "total": page.total, "offset": page.offset})


@router.get("/tracks/{track_id}", responses={200: {"model": TrackModel}, 404: {}})
async def track(request: Request, track_id: Annotated[str, Path(max_length=200)]) -> Response:
    """A track, and whether it can be searched; if not, why."""
    state = await call(request, "jobs", lambda library: library.track(track_id))
    return respond(request, _document(state))


def _document(state: TrackState) -> dict[str, Any]:
    names = (*FoundModel.model_fields, "artists", "genres", "added_at")
    return {name: state.track[name] for name in names} | {name: state[name] for name in state if name != "track"}
