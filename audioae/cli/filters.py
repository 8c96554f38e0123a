"""The filter options, the same for every command that has them: which tracks may be in the answer."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioae.errors import SearchError

if TYPE_CHECKING:
    from audioae.library.filters import Filters

ANY = "repeatable: a track matches if any of them does."
LabelOption = Annotated[list[str] | None, typer.Option(help=f"Only tracks of this label; {ANY}")]
ArtistOption = Annotated[list[str] | None, typer.Option(help=f"Only tracks of this artist; {ANY}")]
AlbumOption = Annotated[list[str] | None, typer.Option(help=f"Only tracks of this album; {ANY}")]
YearOption = Annotated[str | None, typer.Option(help="Only these years: 1999, 1990:1999, 1990: or :1999.")]
DurationOption = Annotated[str | None, typer.Option(help="Only these durations in seconds: 120:300, 120: or :300.")]
AddedAfterOption = Annotated[
    datetime | None, typer.Option(help="Only tracks added to the catalog on this day (UTC) or later.")
]
AllowOption = Annotated[
    list[str] | None, typer.Option(help="Only these: a track_id, or a file with one per line; repeatable.")
]
DenyOption = Annotated[
    list[str] | None, typer.Option(help="Leave these out: a track_id, or a file with one per line; repeatable.")
]


def make_filters(
    label: list[str] | None,
    artist: list[str] | None,
    album: list[str] | None,
    year: str | None,
    duration: str | None,
    added_after: datetime | None,
    allow: list[str] | None,
    deny: list[str] | None,
) -> "Filters":
    """Filters from the options. Raises `SearchError` for a range or a file that cannot be read."""
    from audioae.library.filters import Filters

    return Filters(
        label=label or (),
        artist=artist or (),
        album=album or (),
        year=_range("--year", year),
        duration_s=_range("--duration", duration),
        added_after=added_after,
        allow=None if allow is None else list(_track_ids("--allow", allow)),
        deny=list(_track_ids("--deny", deny or [])),
    )


def _range(option: str, text: str | None) -> tuple[float | None, float | None]:
    if text is None:
        return None, None
    low, colon, high = text.partition(":")
    try:
        ends = float(low) if low else None, float(high) if high else None
    except ValueError:
        ends = None, None
    if ends == (None, None):
        raise SearchError(f"{option} {text!r}: wanted a number, or two with a colon, such as 120:300, 120: or :300")
    return ends if colon else (ends[0], ends[0])


def _track_ids(option: str, values: list[str]) -> Iterator[str]:
    for value in values:
        if not Path(value).exists() and "/" not in value:
            yield value
            continue
        try:
            track_ids = Path(value).read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise SearchError(f"{option} {value}: cannot be read ({error}); wanted one track_id per line") from error
        if not track_ids:
            raise SearchError(f"{option} {value}: the file is empty; wanted one track_id per line")
        yield from track_ids
