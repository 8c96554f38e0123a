"""`POST /v1/playlist`: a smooth walk from one track to another. No audio is opened: what is stored must do."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, model_validator

from audioae.api import Library
from audioae.playlists.export import export_playlist
from audioae.playlists.options import PlaylistOptions
from audioae.serve.models import AliasModel, Body, FiltersModel, TrackId
from audioae.serve.requests import call, respond
from audioae.similarity.seeds import AliasSeed, TrackSeed

router = APIRouter(prefix="/v1", tags=["playlists"])

MAX_WAYPOINTS = 100
FILES = {"audio/x-mpegurl": "m3u8", "application/vnd.apple.mpegurl": "m3u8", "text/csv": "csv"}
"""What `Accept` may ask for instead of JSON."""

Positive = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


class KnownTrackModel(Body):
    """A track of the catalog: exactly one of its track_id and an alias."""

    track_id: TrackId | None = None
    alias: AliasModel | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.track_id is None) == (self.alias is None):
            raise ValueError("wanted exactly one of track_id and alias")
        return self

    def to_seed(self) -> TrackSeed | AliasSeed:
        if self.alias is not None:
            return AliasSeed(self.alias.namespace, self.alias.id)
        return TrackSeed(self.track_id or "")


class CurveModel(Body):
    """How tempo (BPM) or energy (dB) may change: only towards the next waypoint's value, in small steps, or both."""

    monotone: bool = False
    max_step: Positive | None = None


class PlaylistRequest(Body):
    """Waypoints, and the length and the rules of the playlist (`playlists.options`).

    The length is `n` tracks (default: 25) or `duration_s`, both with the waypoints.
    """

    waypoints: Annotated[list[KnownTrackModel], Field(min_length=2, max_length=MAX_WAYPOINTS)]
    n: Annotated[int, Field(ge=2, le=500)] | None = None
    duration_s: Annotated[float, Field(gt=0, le=7 * 86_400, allow_inf_nan=False)] | None = None
    tolerance_s: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] = 120.0
    path: Literal["spherical", "linear"] = "spherical"
    artist_window: Annotated[int, Field(ge=1, le=500)] = 3
    max_per_artist: Annotated[int, Field(ge=1, le=500)] | None = 3
    tempo: CurveModel = CurveModel()
    energy: CurveModel = CurveModel()
    seamless: Annotated[float, Field(ge=0, le=10)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] | None = None
    strict: bool = False
    filters: FiltersModel | None = None

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.n is not None and self.duration_s is not None:
            raise ValueError("wanted one of n and duration_s")
        return self

    def to_options(self) -> PlaylistOptions:
        settings = self.model_dump(exclude={"waypoints", "filters"})
        return PlaylistOptions.model_validate(settings | ({} if self.duration_s else {"n": self.n or 25}))

    def document(self, library: Library) -> dict:
        """Ask the library; `address`, the path that a player opens, is for files only."""
        filters = self.filters.to_filters() if self.filters else None
        waypoints = [waypoint.to_seed() for waypoint in self.waypoints]
        return library.playlist(waypoints, self.to_options(), filters).document


class EntryModel(BaseModel):
    """A track of the playlist; `step` is the angle from the track before, `off_path` that to the ideal path (radians).

    `tempo` and `energy` are null where nothing is stored.
    """

    position: int
    track_id: str
    title: str
    artist: str | None
    album: str | None
    label: str | None
    year: int | None
    duration_s: float | None
    uri: str
    tempo: float | None
    energy: float | None
    step: float | None
    off_path: float
    waypoint: bool


class PlaylistAnswer(BaseModel):
    """The playlist; `gave_way` has a sentence for each rule that was not kept, `smoothness` the steps (radians)."""

    index: str
    model: str
    name: str
    n: int
    duration_s: float
    gave_way: dict[str, str]
    smoothness: dict[str, dict[str, float]]
    notes: list[str]
    entries: list[EntryModel]
    options: dict
    embeddings: str


OTHER_FORMS: dict = {media_type: {} for media_type in FILES}


@router.post("/playlist", responses={200: {"model": PlaylistAnswer, "content": OTHER_FORMS}})
async def playlist(request: Request, body: PlaylistRequest) -> Response:
    """A playlist from the first waypoint through the others to the last, as JSON, M3U8 or CSV (`Accept`)."""
    document = await call(request, "jobs", body.document)
    accepted = request.headers.get("accept", "").partition(";")[0].strip().lower()
    if accepted in FILES:
        return Response(export_playlist(document, FILES[accepted]), media_type=accepted)
    entries = [{name: value for name, value in one.items() if name != "address"} for one in document["entries"]]
    return respond(request, {**document, "entries": entries})
