"""Tags of an audio file, read by mutagen: title, artist, album, genre, year; and the duration from its header.

Conventions
-----------
- Nothing here raises: what cannot be read is None. Faults of a file are reported by the decoder.
- The genre is the label; "", "unknown", "n/a" and the like are None, "Other" is a label.
- `duration_s` is the header's claim, not the decodable length.
"""

import math
import re
from typing import Any, NamedTuple

import mutagen
from mutagen.apev2 import APEv2
from mutagen.asf import ASFTags  # type: ignore[attr-defined] - exported, but not in __all__
from mutagen.id3 import ID3
from mutagen.mp4 import MP4Tags

_NO_LABEL = {"", "-", "?", "n/a", "na", "nan", "none", "null", "undefined", "unknown", "<unknown>", "unknown genre"}

# Names of title, artist, album, genre and date in each kind of tags other than Vorbis comments.
_NAMES: dict[type, tuple[str, ...]] = {
    ID3: ("TIT2", "TPE1", "TALB", "TCON", "TDRC"),
    MP4Tags: ("\xa9nam", "\xa9ART", "\xa9alb", "\xa9gen", "\xa9day"),
    APEv2: ("title", "artist", "album", "genre", "year"),
    ASFTags: ("Title", "Author", "WM/AlbumTitle", "WM/Genre", "WM/Year"),
}
_VORBIS_NAMES = ("title", "artist", "album", "genre", "date")


class Tags(NamedTuple):
    """The claims of one file; None where there is no tag."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    label: str | None = None
    year: int | None = None
    duration_s: float | None = None


def read_tags(path: str) -> Tags:
    """Read the tags of an audio file of any format that mutagen knows; `Tags()` if there are none."""
    try:
        file = mutagen.File(path)  # type: ignore[attr-defined] - mutagen does not export what it documents
        if file is None:
            return Tags()
        names = next((names for kind, names in _NAMES.items() if isinstance(file.tags, kind)), _VORBIS_NAMES)
        title, artist, album, genre, date = (_first(file.tags, name) for name in names)
    except Exception:  # noqa: BLE001 - on broken files mutagen raises anything from struct.error to MemoryError
        return Tags()
    length = getattr(file.info, "length", None)
    duration_s = float(length) if length and math.isfinite(length) and length > 0 else None
    return Tags(
        clean_text(title), clean_text(artist), clean_text(album), clean_label(genre), parse_year(date), duration_s
    )


def clean_text(value: Any) -> str | None:
    """Strip whitespace and NUL characters, and make the text valid Unicode; None if nothing is left.

    >>> clean_text("  A Waltz\\x00"), clean_text(" ")
    ('A Waltz', None)
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value).replace("\x00", "").strip().encode("utf-8", "replace").decode() or None


def clean_label(value: Any) -> str | None:
    """Like `clean_text`, with None for texts that mean "no label".

    >>> clean_label("Jazz "), clean_label("Unknown"), clean_label("N/A")
    ('Jazz', None, None)
    """
    text = clean_text(value)
    return None if text is None or text.casefold() in _NO_LABEL else text


def parse_year(value: Any) -> int | None:
    """Find the year in a date of any format.

    >>> parse_year("2009-01-05"), parse_year("1987.0"), parse_year("0")
    (2009, 1987, None)
    """
    year = re.search(r"[12]\d{3}", clean_text(value) or "")
    return int(year[0]) if year else None


def _first(tags: Any, name: str) -> Any:
    """The first text under a name; values of tags are lists, ID3 frames, or strings."""
    value = None if tags is None else tags.get(name)
    if value is None or isinstance(value, str):
        return value
    texts = getattr(value, "genres", None) or getattr(value, "text", value)
    return texts[0] if texts else None
