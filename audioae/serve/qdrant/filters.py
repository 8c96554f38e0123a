"""Qdrant's filters as predicates of the library.

Conventions
-----------
- `must`, `must_not`, `should` and `min_should` may be nested. An empty list states nothing.
- Match is exact, with case. A value that is null matches neither `match` (nor its `except`) nor `range`.
- A condition that no track could meet because the key is of another type (a text for `year`) is an error.

Source: the models of the REST API, https://api.qdrant.tech/api-reference/points/query-points.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from audioae.library.filters import Filters
from audioae.library.predicates import AllOf, AtLeast, Not, OneOf, Predicate, Unknown, Within, any_of
from audioae.serve.models import MAX_IDS, Finite
from audioae.serve.qdrant.body import QdrantBody
from audioae.serve.qdrant.ids import PointId, track_id_of

MAX_CONDITIONS = 100
MAX_VALUES = 10_000

Key = Literal["track_id", "title", "artist", "album", "label", "uri", "year", "duration_s", "added_at"]
TYPES = {"year": "integer", "duration_s": "float", "added_at": "datetime"}
"""What a key holds, in Qdrant's words; "keyword" where it is not named."""


def type_of(key: str) -> str:
    return TYPES.get(key, "keyword")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _kind_of_value(value: Any) -> str | None:
    if isinstance(value, str):
        return "=text"
    return "=number" if isinstance(value, int | float) and not isinstance(value, bool) else None


def _forms(wanted: str) -> Discriminator:
    return Discriminator(_kind_of_value, custom_error_type="value", custom_error_message=f"wanted {wanted}")


Word = Annotated[str, Field(max_length=1000), Tag("=text")]
Value = Annotated[Word | Annotated[int, Field(strict=True), Tag("=number")], _forms("a text or a whole number")]
Values = Annotated[list[Value], Field(max_length=MAX_VALUES)]
Time = Annotated[str, Field(max_length=100), AfterValidator(_time), Tag("=text")]
Bound = Annotated[Annotated[Finite, Tag("=number")] | Time, _forms("a number, or a time in RFC 3339")]


class Match(QdrantBody):
    """One of `value`, `any` and `except`."""

    value: Value | None = None
    any: Values | None = None
    except_: Values | None = Field(default=None, alias="except")

    def values(self) -> list[str | int]:
        return self.any or self.except_ or ([] if self.value is None else [self.value])

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("wanted one of value, any and except")
        return self


class Range(QdrantBody):
    """Numbers for `year` and `duration_s`, times for `added_at`."""

    gt: Bound | None = None
    gte: Bound | None = None
    lt: Bound | None = None
    lte: Bound | None = None

    def bounds(self) -> dict[str, float | datetime]:
        return {name: getattr(self, name) for name in self.model_fields_set}


class FieldCondition(QdrantBody):
    """A condition on one key of the payload."""

    key: Key
    match: Match | None = None
    range: Range | None = None
    is_empty: bool | None = None
    is_null: bool | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.model_fields_set) != 2:
            raise ValueError("wanted one of match, range, is_empty and is_null")
        kind = type_of(self.key)
        if self.match is not None:
            wanted = {"keyword": str, "integer": int}.get(kind)
            if wanted is None:
                raise ValueError(f"match is not supported for {self.key}; use range")
            if not all(isinstance(value, wanted) for value in self.match.values()):
                raise ValueError(f"match: {self.key} is of the type {kind}")
        if self.range is not None:
            if kind == "keyword":
                raise ValueError(f"range is not supported for {self.key}, which is a text; use match")
            wanted = datetime if kind == "datetime" else float | int
            if not all(isinstance(bound, wanted) for bound in self.range.bounds().values()):
                raise ValueError(f"range: {self.key} is of the type {kind}")
        return self

    def to_predicate(self) -> Predicate:
        if self.match is not None:
            listed = OneOf(self.key, tuple(self.match.values()))  # pyright: ignore[reportArgumentType]
            return listed if self.match.except_ is None else AllOf((Not(listed), Not(Unknown(self.key))))
        if self.range is not None:
            return Within(self.key, **self.range.bounds())
        return Unknown(self.key) if self.is_empty or self.is_null else Not(Unknown(self.key))


class KeyModel(QdrantBody):
    key: Key


class NullCondition(QdrantBody):
    """`is_null` or `is_empty`: the key has no value."""

    is_null: KeyModel | None = None
    is_empty: KeyModel | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("wanted one of is_null and is_empty")
        return self

    def to_predicate(self) -> Predicate:
        named = self.is_null or self.is_empty
        assert named is not None
        return Unknown(named.key)


class HasId(QdrantBody):
    """The point is one of these."""

    has_id: Annotated[list[PointId], Field(max_length=MAX_IDS)]

    def to_predicate(self) -> Predicate:
        return OneOf("track_id", tuple(map(track_id_of, self.has_id)))


def _kind_of_condition(value: Any) -> str | None:
    if not isinstance(value, dict | QdrantBody):
        return None
    keys = set(value) if isinstance(value, dict) else value.model_fields_set
    if "has_id" in keys:
        return "=has_id"
    if not keys or keys & {"must", "must_not", "should", "min_should"}:
        return "=filter"
    return "=null" if "key" not in keys and keys & {"is_null", "is_empty"} else "=field"


def _listed(value: Any) -> Any:
    """One condition may stand for a list of one."""
    return [value] if isinstance(value, dict) else value


Condition = Annotated[
    Annotated[FieldCondition, Tag("=field")]
    | Annotated[NullCondition, Tag("=null")]
    | Annotated[HasId, Tag("=has_id")]
    | Annotated["FilterModel", Tag("=filter")],
    Discriminator(_kind_of_condition, custom_error_type="condition", custom_error_message="wanted a condition"),
]
Conditions = Annotated[list[Condition], BeforeValidator(_listed), Field(max_length=MAX_CONDITIONS)]


class MinShould(QdrantBody):
    """At least `min_count` of the conditions hold."""

    conditions: Conditions
    min_count: Annotated[int, Field(ge=1)]


class FilterModel(QdrantBody):
    """All of `must`, none of `must_not`, one of `should`, and enough of `min_should`."""

    must: Conditions = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]
    must_not: Conditions = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]
    should: Conditions = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]
    min_should: MinShould | None = None

    def to_predicate(self) -> AllOf:
        parts = [condition.to_predicate() for condition in self.must]
        parts += [Not(condition.to_predicate()) for condition in self.must_not]
        if self.should:
            parts.append(any_of(*(condition.to_predicate() for condition in self.should)))
        if self.min_should is not None:
            enough = tuple(condition.to_predicate() for condition in self.min_should.conditions)
            parts.append(AtLeast(self.min_should.min_count, enough))
        return AllOf(tuple(parts))

    def size(self) -> int:
        """How many conditions there are, those of nested filters too."""
        enough = self.min_should.conditions if self.min_should else ()
        parts = (*self.must, *self.must_not, *self.should, *enough)
        return len(parts) + sum(part.size() for part in parts if isinstance(part, FilterModel))


def _bounded(model: FilterModel) -> FilterModel:
    if model.size() > MAX_CONDITIONS:
        raise ValueError(f"wanted at most {MAX_CONDITIONS} conditions in all, got {model.size()}")
    return model


Filter = Annotated[FilterModel, AfterValidator(_bounded)]


def filters_of(model: FilterModel | None) -> Filters:
    """The library's filters; none if the model states nothing."""
    predicate = model.to_predicate() if model is not None else AllOf(())
    return Filters(where=predicate) if predicate.parts else Filters()
