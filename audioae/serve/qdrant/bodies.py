"""The bodies of the requests that are answered.

Source: the models of the REST API, https://api.qdrant.tech/api-reference.
"""

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from audioae.constants import EMBEDDING_DIM
from audioae.serve.models import MAX_K, MAX_SEEDS, Finite
from audioae.serve.qdrant.body import QdrantBody
from audioae.serve.qdrant.filters import Filter
from audioae.serve.qdrant.ids import Number, PointId, Text, kind_of_id, track_id_of
from audioae.serve.qdrant.payload import PayloadInterface
from audioae.similarity.seeds import EmbeddingSeed, TrackSeed, TypedSeed

MAX_SEARCHES = 256
MAX_POINTS = 10_000  # of one retrieval
MAX_FACETS = 10_000

Vector = Annotated[list[Finite], Field(min_length=EMBEDDING_DIM, max_length=EMBEDDING_DIM), Tag("=vector")]


def _kind_of_example(value: Any) -> str | None:
    return "=vector" if isinstance(value, list) else kind_of_id(value)


def _kind_of_query(value: Any) -> str | None:
    return "=object" if isinstance(value, dict | QdrantBody) else _kind_of_example(value)


Example = Annotated[
    Number | Text | Vector,
    Discriminator(
        _kind_of_example,
        custom_error_type="example",
        custom_error_message=f"wanted a point ID or a vector of {EMBEDDING_DIM} numbers",
    ),
]
Examples = Annotated[list[Example], Field(max_length=MAX_SEEDS)]


def seed_of(example: int | str | list[float]) -> TypedSeed:
    if isinstance(example, list):
        return EmbeddingSeed(np.array(example, np.float64))
    return TrackSeed(track_id_of(example))


class RecommendInput(QdrantBody):
    """Examples to be like, and examples to be unlike."""

    positive: Annotated[Examples, Field(min_length=1)]
    negative: Examples = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]
    strategy: Literal["average_vector"] = "average_vector"


class QueryObject(QdrantBody):
    """`nearest` or `recommend`."""

    nearest: Example | None = None
    recommend: RecommendInput | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("wanted one of nearest and recommend")
        return self


Query = Annotated[
    Number | Text | Vector | Annotated[QueryObject, Tag("=object")],
    Discriminator(
        _kind_of_query,
        custom_error_type="query",
        custom_error_message=f"wanted a point ID, a vector of {EMBEDDING_DIM} numbers, nearest or recommend",
    ),
]


class SearchParams(QdrantBody):
    """How exact the search should be: taken if the index is at least as exact (`points.check_params`)."""

    exact: bool = False
    hnsw_ef: Annotated[int, Field(ge=0)] | None = None
    indexed_only: bool = False


class QueryRequest(QdrantBody):
    """The nearest points of one query."""

    query: Query
    filter: Filter | None = None
    params: SearchParams = SearchParams()
    score_threshold: Finite | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_K)] = 10
    offset: Annotated[int, Field(ge=0, le=MAX_K)] = 0
    using: Literal[""] = ""
    with_payload: PayloadInterface = False
    with_vector: bool = False

    @model_validator(mode="after")
    def _not_too_deep(self) -> Self:
        if self.limit + self.offset > MAX_K:
            raise ValueError(f"offset and limit: wanted at most {MAX_K} together; points/scroll lists all points")
        return self

    def seeds(self) -> tuple[list[TypedSeed], list[TypedSeed]]:
        """What the answer should be like, and what not."""
        query = self.query
        if not isinstance(query, QueryObject):
            return [seed_of(query)], []
        if query.recommend is None:
            assert query.nearest is not None
            return [seed_of(query.nearest)], []
        return [seed_of(one) for one in query.recommend.positive], [seed_of(one) for one in query.recommend.negative]


class QueryBatch(QdrantBody):
    """Several queries; one that is wrong fails them all, as in Qdrant."""

    searches: Annotated[list[QueryRequest], Field(max_length=MAX_SEARCHES)]


class PointsRequest(QdrantBody):
    """Points by their IDs."""

    ids: Annotated[list[PointId], Field(max_length=MAX_POINTS)]
    with_payload: PayloadInterface = True
    with_vector: bool = False


class ScrollRequest(QdrantBody):
    """A page of points in the order of their track_ids, from the point `offset` on."""

    offset: PointId | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_POINTS)] = 10
    filter: Filter | None = None
    with_payload: PayloadInterface = True
    with_vector: bool = False


class CountRequest(QdrantBody):
    """How many points pass; the count is exact in any case."""

    filter: Filter | None = None
    exact: bool = True


class FacetRequest(QdrantBody):
    """How often each value of a key occurs; the counts are exact in any case."""

    key: Literal["title", "artist", "album", "label", "year"]
    limit: Annotated[int, Field(ge=1, le=MAX_FACETS)] = 10
    filter: Filter | None = None
    exact: bool = False
