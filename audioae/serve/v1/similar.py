"""`POST /v1/similar`: the tracks that sound most like tracks, aliases or embeddings."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from audioae.api import Library
from audioae.errors import NoMatchError
from audioae.serve.models import MAX_K, MAX_SEEDS, OptionsModel, SeedModel
from audioae.serve.requests import call, respond
from audioae.similarity.answer import Answer

router = APIRouter(prefix="/v1", tags=["similarity"])

Seeds = Annotated[list[SeedModel], Field(min_length=1, max_length=MAX_SEEDS)]
Minus = Annotated[list[SeedModel], Field(max_length=MAX_SEEDS)]


class SimilarRequest(OptionsModel):
    """What the answer should sound like, what it should not, how many tracks, and which."""

    seeds: Seeds
    minus: Minus = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]
    k: Annotated[int, Field(ge=1, le=MAX_K)] = 10

    def answer(self, library: Library) -> Answer:
        """Ask the library. No match is an empty answer, not an error: the filters of a service are often narrow."""
        options = self.to_options()
        seeds, minus = [seed.to_seed() for seed in self.seeds], [seed.to_seed() for seed in self.minus]
        try:
            return library.similar(seeds, self.k, minus=minus, options=options)
        except NoMatchError as error:
            return Answer([], [], 0, str(error))


class NeighborModel(BaseModel):
    """A track: `rank` from 1, `score` the cosine to the query."""

    rank: int
    score: float
    track_id: str
    title: str | None
    artist: str | None
    album: str | None
    label: str | None
    uri: str


class SimilarAnswer(BaseModel):
    """The neighbors, closest first; `n_matching` recordings pass the filters; `short`: why there are fewer than `k`."""

    index: str
    model: str
    neighbors: list[NeighborModel]
    n_matching: int
    short: str | None


@router.post("/similar", responses={200: {"model": SimilarAnswer}})
async def similar(request: Request, body: SimilarRequest) -> Response:
    """The `k` tracks that sound most like the seeds and least like `minus`."""
    answer = await call(request, "search", body.answer)
    return respond(request, as_json(answer))


def as_json(answer: Answer) -> dict:
    return {"neighbors": answer.neighbors, "n_matching": answer.n_matching, "short": answer.short}
