"""The parts of a request that several endpoints share: seeds, filters and options, as JSON gives them.

Conventions
-----------
- Unknown keys are errors. A seed is exactly one of a track_id, an alias or an embedding: nothing is guessed, and no
  text is a title or a path.
"""

from datetime import datetime
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from audioae.constants import EMBEDDING_DIM
from audioae.library.filters import Filters
from audioae.similarity.query import DEFAULT, Options
from audioae.similarity.seeds import AliasSeed, EmbeddingSeed, TrackSeed, TypedSeed

MAX_K = 1000
MAX_SEEDS = 100
MAX_IDS = 200_000  # of allow_ids or deny_ids

Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=1000)]
Texts = Annotated[list[Text], Field(max_length=1000)]
TrackId = Annotated[str, Field(min_length=1, max_length=200, examples=["b36df8f65ba0489b"])]
Ids = Annotated[list[TrackId], Field(max_length=MAX_IDS)]


class Body(BaseModel):
    """Base of everything that a request contains."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AliasModel(Body):
    """The ID that another system has for a track (`audioae aliases import`)."""

    namespace: Annotated[str, Field(min_length=1, max_length=100, examples=["navidrome"])]
    id: Annotated[str, Field(min_length=1, max_length=1000)]


class SeedModel(Body):
    """Exactly one of a track_id, an alias and an embedding, with its weight among the seeds."""

    track_id: TrackId | None = None
    alias: AliasModel | None = None
    embedding: Annotated[list[Finite], Field(min_length=EMBEDDING_DIM, max_length=EMBEDDING_DIM)] | None = None
    weight: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 1.0

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.track_id is not None) + (self.alias is not None) + (self.embedding is not None) != 1:
            raise ValueError("a seed has exactly one of track_id, alias and embedding")
        return self

    def to_seed(self) -> TypedSeed:
        if self.track_id is not None:
            return TrackSeed(self.track_id, self.weight)
        if self.alias is not None:
            return AliasSeed(self.alias.namespace, self.alias.id, self.weight)
        return EmbeddingSeed(np.array(self.embedding), self.weight)


class RangeModel(Body):
    """Both ends are included; an end that is left out is open."""

    gte: Finite | None = None
    lte: Finite | None = None


class FiltersModel(Body):
    """Which tracks an answer may contain: several values of one filter are alternatives, all filters must hold."""

    label: Text | Texts = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]
    artist: Text | Texts = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]
    album: Text | Texts = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]
    year: RangeModel | None = None
    duration_s: RangeModel | None = None
    added_after: datetime | None = None
    allow_ids: Ids | None = None
    deny_ids: Ids = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]

    def to_filters(self) -> Filters:
        return Filters(
            label=_listed(self.label),
            artist=_listed(self.artist),
            album=_listed(self.album),
            year=_range(self.year),
            duration_s=_range(self.duration_s),
            added_after=self.added_after,
            allow=self.allow_ids,
            deny=self.deny_ids,
        )


class OptionsModel(Body):
    """How an answer is made from the nearest tracks."""

    filters: FiltersModel | None = None
    diversity: Annotated[float, Field(ge=0, le=1)] = 0.0
    max_per_artist: Annotated[int, Field(ge=1, le=MAX_K)] | None = None
    hub_correction: bool = False
    keep_duplicates: bool = False

    def to_options(self) -> Options:
        if self.model_fields_set.isdisjoint(OptionsModel.model_fields):
            return DEFAULT
        return Options(
            self.filters.to_filters() if self.filters else Filters(),
            self.diversity,
            self.max_per_artist,
            self.hub_correction,
            self.keep_duplicates,
        )


def _listed(values: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


def _range(ends: RangeModel | None) -> tuple[float | None, float | None]:
    return (None, None) if ends is None else (ends.gte, ends.lte)
