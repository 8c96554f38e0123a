"""`POST /v1/similar` and `POST /v1/similar:batch`: the tracks that sound most like tracks, aliases or embeddings.

Conventions
-----------
- Results of a batch are in the order of its queries. A query that cannot be answered, malformed or not, has a problem
  in place of its answer, and stops no other.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator

from audioae.api import Library
from audioae.errors import AudioaeError, NoMatchError
from audioae.serve.models import MAX_K, MAX_SEEDS, Body, OptionsModel, SeedModel
from audioae.serve.problems import DOCUMENT, Problem, problem_of
from audioae.serve.requests import call, encode, respond, respond_encoded, served_of
from audioae.similarity.answer import Answer
from audioae.similarity.search import SimilarQuery

MAX_QUERIES = 256
MAX_NEIGHBORS = 64_000  # of all queries of a batch

router = APIRouter(prefix="/v1", tags=["similarity"])

Seeds = Annotated[list[SeedModel], Field(min_length=1, max_length=MAX_SEEDS)]
Minus = Annotated[list[SeedModel], Field(max_length=MAX_SEEDS)]


class SimilarRequest(OptionsModel):
    """What the answer should sound like, what it should not, how many tracks, and which."""

    seeds: Seeds
    minus: Minus = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]
    k: Annotated[int, Field(ge=1, le=MAX_K)] = 10

    def to_query(self) -> SimilarQuery:
        seeds, minus = [seed.to_seed() for seed in self.seeds], [seed.to_seed() for seed in self.minus]
        return SimilarQuery(seeds, self.k, minus, self.to_options())

    def answer(self, library: Library) -> Answer:
        """Ask the library. No match is an empty answer, not an error: the filters of a service are often narrow."""
        query = self.to_query()
        try:
            return library.similar(query.seeds, query.k, minus=query.minus, options=query.options)
        except NoMatchError as error:
            return no_match(error)


def _or_fault(value: Any, parse: ValidatorFunctionWrapHandler) -> SimilarRequest | ValidationError:
    """A query, or what is wrong with it."""
    try:
        return parse(value)
    except ValidationError as fault:
        return fault


class BatchRequest(Body):
    """Up to 256 queries, each as `/v1/similar` takes it."""

    queries: Annotated[
        list[Annotated[SimilarRequest, WrapValidator(_or_fault)]], Field(min_length=1, max_length=MAX_QUERIES)
    ]

    def results(self, library: Library) -> list[Answer | AudioaeError | ValidationError]:
        """Ask the library, all at once."""
        results: list[Any] = [*self.queries]
        places = [place for place, query in enumerate(self.queries) if isinstance(query, SimilarRequest)]
        answers = library.similar_batch([self.queries[place].to_query() for place in places])
        for place, answer in zip(places, answers, strict=True):
            results[place] = no_match(answer) if isinstance(answer, NoMatchError) else answer
        return results


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


class BatchItem(BaseModel):
    """What `/v1/similar` answers to a query; `error` says why there is no answer, as its problem would."""

    neighbors: list[NeighborModel]
    n_matching: int
    short: str | None
    error: Annotated[dict | None, WithJsonSchema({"anyOf": [DOCUMENT, {"type": "null"}]})]


class BatchAnswer(BaseModel):
    """An item for each query, in their order."""

    index: str
    model: str
    results: list[BatchItem]


@router.post("/similar", responses={200: {"model": SimilarAnswer}})
async def similar(request: Request, body: SimilarRequest) -> Response:
    """The `k` tracks that sound most like the seeds and least like `minus`."""
    answer = await call(request, "search", body.answer)
    return respond(request, as_json(answer))


@router.post("/similar:batch", responses={200: {"model": BatchAnswer}})
async def similar_batch(request: Request, body: BatchRequest) -> Response:
    """The answers to up to 256 queries, in a fifth of the CPU per query. `k` adds up to 64,000 at most."""
    wanted = sum(query.k for query in body.queries if isinstance(query, SimilarRequest))
    if wanted > MAX_NEIGHBORS:
        raise Problem(
            422,
            f"k adds up to {wanted:,}, wanted {MAX_NEIGHBORS:,} at most",
            where="queries",
            action="send fewer at once",
        )
    names = served_of(request).names

    def encoded(library: Library) -> bytes:
        return encode({**names, "results": [_item(result) for result in body.results(library)]})

    return respond_encoded(await call(request, "search", encoded))


def as_json(answer: Answer) -> dict:
    return {"neighbors": answer.neighbors, "n_matching": answer.n_matching, "short": answer.short}


def no_match(error: NoMatchError) -> Answer:
    return Answer([], [], 0, str(error))


def _item(result: Answer | AudioaeError | ValidationError) -> dict:
    if isinstance(result, Answer):
        return {**as_json(result), "error": None}
    problem = problem_of(result)
    if problem is None:
        raise result
    return {**as_json(_NOTHING), "error": problem.document()}


_NOTHING = Answer([], [], 0)
