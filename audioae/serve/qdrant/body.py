"""What all bodies of Qdrant's clients have in common.

Conventions
-----------
- null is the same as a key that is left out. A key that is not declared is refused by name: nothing is ignored.
- Where several forms are allowed, a tag that begins with "=" names the form; `where` leaves it out again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import model_validator

from audioae.serve.models import Body


class QdrantBody(Body):
    """Base of everything that a request contains."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


def explain(errors: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with a body, from pydantic's errors: one sentence that names the key.

    >>> explain([{"type": "extra_forbidden", "loc": ("body", "filter", "must", 0, "=field", "geo_radius")}])
    'filter.must[0].geo_radius is not supported'
    """
    error = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    named = where(error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{named} is not supported"
    if error["type"] == "missing":
        return f"{named} is missing"
    if error["type"] == "json_invalid":
        return f"the body is not JSON: {error.get('ctx', {}).get('error', error['msg'])}"
    message = error["msg"].removeprefix("Value error, ")
    got = error.get("input")
    shown = f"; got {got!r}" if isinstance(got, str | int | float) and len(repr(got)) < 100 else ""
    return f"{named}: {message}{shown}"


def where(loc: Sequence[str | int]) -> str:
    """
    >>> where(("body", "searches", 1, "query", "=object", "recommend", "positive", 0, "=text"))
    'searches[1].query.recommend.positive[0]'
    """
    parts = [part for part in loc[loc[:1] == ("body",) :] if isinstance(part, int) or not part.startswith("=")]
    named = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return named.removeprefix(".") or "body"
