"""Point IDs: how a track_id is written where Qdrant's clients expect an unsigned integer or a string.

Conventions
-----------
- A track_id of 16 hexadecimal digits (every track_id that audioae made itself) is the 64-bit integer that it spells.
  Any other track_id, which a source brought with it, is itself, as a string.
- A request may give either form: a string is always a track_id.

Why not UUIDs for the others: a hash cannot be turned back into a track_id without a table of the whole catalog. A
client that takes JSON integers as doubles (JavaScript) uses `payload.track_id` instead of the integer.
"""

import re
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

HEX = re.compile(r"[0-9a-f]{16}")


def kind_of_id(value: Any) -> str | None:
    """Which of the two forms a JSON value is, None if it is neither."""
    if isinstance(value, str):
        return "=text"
    return "=number" if isinstance(value, int) and not isinstance(value, bool) else None


Number = Annotated[int, Field(ge=0, lt=2**64), Tag("=number")]
Text = Annotated[str, Field(min_length=1, max_length=200), Tag("=text")]
PointId = Annotated[
    Number | Text,
    Discriminator(
        kind_of_id,
        custom_error_type="point_id",
        custom_error_message="wanted a point ID: an unsigned 64-bit integer, or a track_id",
    ),
]


def point_id_of(track_id: str) -> int | str:
    """
    >>> point_id_of("b36df8f65ba0489b"), point_id_of("000002")
    (12929263842233436315, '000002')
    """
    return int(track_id, 16) if HEX.fullmatch(track_id) else track_id


def track_id_of(point_id: int | str) -> str:
    """
    >>> track_id_of(12929263842233436315), track_id_of("000002")
    ('b36df8f65ba0489b', '000002')
    """
    return point_id if isinstance(point_id, str) else f"{point_id:016x}"
