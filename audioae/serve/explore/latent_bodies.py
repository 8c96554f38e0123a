"""The bodies of requests for decoded mels: of a track, the way between two, a sweep, a grid; and for their sound."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from audioae.constants import EMBEDDING_DIM
from audioae.explore import latent
from audioae.explore.latent import MAX_FRAMES, MAX_GRID, Places
from audioae.library.generation import Generation
from audioae.serve.models import Body, Finite, TrackId

DEFAULT_STEPS = 15
BOOKS = EMBEDDING_DIM * 64
CODES = 1 << 16

Value = Annotated[Finite, Field(ge=-1e4, le=1e4)]


class DecodeRequest(Body):
    """One of: `track_id` alone; `from` and `to`; `track_id` and `dimension`; `grid`."""

    track_id: TrackId | None = None
    dimension: Annotated[int, Field(ge=0, lt=EMBEDDING_DIM)] | None = None
    values: Annotated[list[Value], Field(min_length=1, max_length=MAX_FRAMES)] | None = None
    start: Annotated[TrackId | None, Field(alias="from")] = None
    end: Annotated[TrackId | None, Field(alias="to")] = None
    steps: Annotated[int, Field(ge=2, le=MAX_FRAMES)] | None = None
    path: Literal["spherical", "linear"] = "spherical"
    grid: Annotated[int, Field(ge=2, le=MAX_GRID)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        self.check()
        return self

    def check(self) -> None:
        if (self.start is None) != (self.end is None):
            raise ValueError("wanted both of from and to, or none")
        if [self.track_id, self.start, self.grid].count(None) != 2:
            raise ValueError("wanted exactly one of track_id, from and to, and grid")
        if self.dimension is not None and self.track_id is None:
            raise ValueError("a dimension is one of a track: wanted track_id with it")
        if self.values is not None and (self.dimension is None or self.steps is not None):
            raise ValueError("values are those of a dimension, in place of steps")
        if self.steps is not None and self.dimension is None and self.start is None:
            raise ValueError("steps are those of from and to, or of a dimension")

    def places(self, library: Generation) -> Places:
        """What to decode."""
        steps = self.steps or DEFAULT_STEPS
        if self.grid is not None:
            return latent.grid(library, self.grid)
        if self.start is not None and self.end is not None:
            return latent.between(library, self.start, self.end, steps, self.path)
        assert self.track_id is not None
        if self.dimension is None:
            return latent.of_track(library, self.track_id)
        values = steps if self.values is None else np.array(self.values, np.float32)
        return latent.sweep(library, self.track_id, self.dimension, values)


class ListenRequest(DecodeRequest):
    """What `/v1/latent:decode` takes, and which of its frames; or a `code` of a `book`."""

    frame: Annotated[int, Field(ge=0, lt=MAX_FRAMES)] = 0
    book: Annotated[int, Field(ge=0, lt=BOOKS)] | None = None
    code: Annotated[int, Field(ge=0, lt=CODES)] | None = None

    def check(self) -> None:
        if (self.book is None) != (self.code is None):
            raise ValueError("wanted both of book and code, or none")
        if self.book is None:
            super().check()
        elif self.model_fields_set - {"book", "code"}:
            raise ValueError("wanted book and code, or a frame of places, not both")
