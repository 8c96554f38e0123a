"""`POST /v1/recommend`: new tracks for one listener, whose plays are in the request."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from audioae.api import Library
from audioae.recommend.answer import Play, RecommendAnswer
from audioae.recommend.config import HALF_LIFE_DAYS
from audioae.serve.models import MAX_K, Body, FiltersModel
from audioae.serve.requests import call, respond
from audioae.serve.v1.playlist import KnownTrackModel

router = APIRouter(prefix="/v1", tags=["recommendations"])

MAX_PLAYS = 10_000


class PlayModel(KnownTrackModel):
    """A play of a track, or a sum of plays: `weight` is their number, or a rating. All plays have a time, or none."""

    weight: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 1.0
    played_at: datetime | None = None

    def to_play(self) -> Play:
        return Play(self.to_seed(), self.weight, self.played_at)


class RecommendRequest(Body):
    """The plays of one listener; a play counts half as much after `half_life_days`."""

    plays: Annotated[list[PlayModel], Field(min_length=1, max_length=MAX_PLAYS)]
    k: Annotated[int, Field(ge=1, le=MAX_K)] = 10
    filters: FiltersModel | None = None
    half_life_days: Annotated[float, Field(ge=0.01, le=1e6)] = HALF_LIFE_DAYS

    def answer(self, library: Library) -> RecommendAnswer:
        """Ask the library."""
        filters = self.filters.to_filters() if self.filters else None
        plays = [play.to_play() for play in self.plays]
        return library.recommend(plays, self.k, filters=filters, half_life_days=self.half_life_days)


class PlayedModel(BaseModel):
    """A played track; `cosine` is that of the two sounds."""

    track_id: str
    title: str | None
    artist: str | None
    label: str | None
    cosine: float


class RecommendationModel(BaseModel):
    """A new track; `score`: by how many standard deviations it suits the listener better than the average track."""

    rank: int
    score: float
    track_id: str
    title: str | None
    artist: str | None
    album: str | None
    label: str | None
    uri: str
    taste: int
    because: list[PlayedModel]


class TasteModel(BaseModel):
    """A taste: its share of the plays, its most frequent labels, the titles that were played most."""

    taste: int
    share: float
    n_tracks: int
    labels: list[str]
    titles: list[str]


class RecommendResponse(BaseModel):
    """New tracks, the best first; `n_new` unplayed recordings pass the filters."""

    index: str
    model: str
    recommendations: list[RecommendationModel]
    tastes: list[TasteModel]
    n_new: int
    unknown_plays: int
    short: str | None


@router.post("/recommend", responses={200: {"model": RecommendResponse}, 501: {}})
async def recommend(request: Request, body: RecommendRequest) -> Response:
    """The `k` tracks that suit the listener best and that the listener has not played, with reasons."""
    answer = await call(request, "jobs", body.answer)
    return respond(request, {name: getattr(answer, name) for name in RecommendAnswer.__dataclass_fields__})
