"""Read the tags of one audio file.

Conventions
-----------
- Text is cleaned as in `catalog.claims`. The year is the first four-digit number of the date. `duration_s` is the
  header's claim, not the decodable length.
- A field is taken from the tags of the file's own format; where they do not have it, from an ID3 tag that another
  format carries, from an APEv2 tag (mp3, aac), or from the chunks of a wav or aiff file.
- An album's artist stands in for a missing artist.
- `musicbrainz_id` is that of the recording, which MusicBrainz Picard calls "MusicBrainz Recording Id" and most tags
  "track id"; the IDs of releases and of tracks on releases are others.
- `encoding` is the one of texts that do not declare theirs: ID3 calls them Latin-1, RIFF and AIFF say nothing. Programs
  wrote the code page of their user there. Text in UTF-8 or UTF-16 is left as it is.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import mutagen
from mutagen.apev2 import APEv2
from mutagen.asf import ASFTags  # type: ignore[attr-defined] - exported, but not in __all__
from mutagen.id3 import ID3, Encoding
from mutagen.mp4 import MP4Tags

from audioae.catalog.claims import (
    clean_album,
    clean_artist,
    clean_title,
    parse_isrc,
    parse_musicbrainz_id,
    parse_year,
    split_labels,
)
from audioae.catalog.tag_chunks import read_chunk_texts

_FIELDS = ("title", "artist", "album_artist", "album", "genre", "date", "isrc", "musicbrainz_id", "musicbrainz_id")
_OWNER = "http://musicbrainz.org"
_IDS = ("isrc", "musicbrainz_trackid", "musicbrainz_recordingid")
# Names of the fields in each kind of tags other than Vorbis comments.
_NAMES: dict[type, tuple[str, ...]] = {
    ID3: ("TIT2", "TPE1", "TPE2", "TALB", "TCON", "TDRC", "TSRC", f"UFID:{_OWNER}", "TXXX:MusicBrainz Track Id"),
    MP4Tags: (
        *("\xa9nam", "\xa9ART", "aART", "\xa9alb", "\xa9gen", "\xa9day"),
        *(f"----:com.apple.iTunes:{name}" for name in ("ISRC", "MusicBrainz Track Id", "MUSICBRAINZ_TRACKID")),
    ),
    APEv2: ("title", "artist", "album artist", "album", "genre", "year", *_IDS),
    ASFTags: (
        *("Title", "Author", "WM/AlbumArtist", "WM/AlbumTitle", "WM/Genre", "WM/Year", "WM/ISRC"),
        *("MusicBrainz/Track Id", "MUSICBRAINZ_TRACKID"),
    ),
}
_VORBIS_NAMES = ("title", "artist", "albumartist", "album", "genre", "date", *_IDS)
_LONGEST = 1_000_000  # characters of a text; what is longer is cut
_MOST = 100  # values of a field

Texts = dict[str, list[str]]


class Tags(NamedTuple):
    """The claims of one file; None where there is no tag. Of several artists or genres the first is the primary one."""

    title: str | None = None
    artists: list[str] | None = None
    album: str | None = None
    genres: list[str] | None = None
    year: int | None = None
    duration_s: float | None = None
    isrc: str | None = None
    musicbrainz_id: str | None = None


def read_tags(file: BinaryIO, encoding: str | None = None) -> Tags:
    """Read the tags of an audio file of any format that mutagen knows; `Tags()` if there are none.

    Parameters
    ----------
    file : BinaryIO
        Seekable, with a `name`: its suffix helps to tell the format.
    encoding : str, optional
        Of texts that do not declare theirs, such as "cp1251" or "gbk"; default: UTF-8 if they are, else Latin-1.
    """
    opened, texts, length = None, {}, None
    with _tolerant():
        opened = mutagen.File(file)  # type: ignore[attr-defined] - mutagen does not export what it documents
        length = getattr(getattr(opened, "info", None), "length", None)
    for found in _all_texts(file, opened, encoding):
        for field, values in found.items():
            texts.setdefault(field, values)
    artists = _cleaned(texts, "artist") or _cleaned(texts, "album_artist")
    return Tags(
        title=next(filter(None, map(clean_title, texts.get("title", ()))), None),
        artists=artists or None,
        album=next(filter(None, map(clean_album, texts.get("album", ()))), None),
        genres=split_labels(texts.get("genre", ())) or None,
        year=next(filter(None, map(parse_year, texts.get("date", ()))), None),
        duration_s=float(length) if length and math.isfinite(length) and length > 0 else None,
        isrc=next(filter(None, map(parse_isrc, texts.get("isrc", ()))), None),
        musicbrainz_id=next(filter(None, map(parse_musicbrainz_id, texts.get("musicbrainz_id", ()))), None),
    )


@contextlib.contextmanager
def _tolerant() -> Iterator[None]:
    """Go on after any error but a lack of memory: on broken files mutagen raises all kinds."""
    try:
        yield
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - from struct.error to IndexError
        pass


def _cleaned(texts: Texts, field: str) -> list[str]:
    return list(dict.fromkeys(artist for text in texts.get(field, ()) if (artist := clean_artist(text))))


def _all_texts(file: BinaryIO, opened: Any, encoding: str | None) -> Iterator[Texts]:
    """The texts of each kind of tags in the file, the ones of its own format first."""
    tags = getattr(opened, "tags", None)
    if tags is not None:
        yield _texts_of(tags, encoding)
    for kind in (ID3, APEv2):
        with _tolerant():
            if not isinstance(tags, kind) and _may_have(file, kind):
                file.seek(0)
                yield _texts_of(kind(file), encoding)
    with _tolerant():
        yield {field: [_decode(text, encoding)] for field, text in read_chunk_texts(file).items()}


def _may_have(file: BinaryIO, kind: type) -> bool:
    """Whether the marks of an ID3 or APEv2 tag are at the ends of the file."""
    file.seek(0)
    head = file.read(10)
    size = file.seek(0, 2)
    file.seek(max(size - 160, 0))
    tail = file.read(160)
    if kind is ID3:
        return head.startswith(b"ID3") or tail[-128:].startswith(b"TAG")
    return b"APETAGEX" in tail or b"LYRICS" in tail


def _texts_of(tags: Any, encoding: str | None) -> Texts:
    names = next((names for kind, names in _NAMES.items() if isinstance(tags, kind)), _VORBIS_NAMES)
    found: Texts = {}
    for field, name in zip(_FIELDS, names, strict=True):
        with _tolerant():  # one value that cannot be read must not cost the others
            if values := _values(tags.get(name), encoding):
                found.setdefault(field, []).extend(values)
    return found


def _values(value: Any, encoding: str | None) -> list[str]:
    """The texts of a value; values of tags are lists, ID3 frames, strings, or bytes."""
    texts = getattr(value, "genres", None) or getattr(value, "text", getattr(value, "data", value))
    if isinstance(texts, str | bytes) or not isinstance(texts, Sequence):
        texts = [] if texts is None else [texts]
    texts = [_as_text(text)[:_LONGEST] for text in texts[:_MOST]]
    if encoding and getattr(value, "encoding", None) == Encoding.LATIN1:
        texts = [_again(text, encoding) for text in texts]
    return [text for text in texts if text.strip("\x00 ")]


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _again(text: str, encoding: str) -> str:
    """Decode the bytes of a Latin-1 text again; as it is if they do not fit."""
    try:
        return text.encode("latin-1").decode(encoding)
    except UnicodeError:
        return text


def _decode(text: bytes, encoding: str | None) -> str:
    text = text.split(b"\x00")[0]
    for guess in filter(None, (encoding, "utf-8")):
        with contextlib.suppress(UnicodeDecodeError):
            return text.decode(guess)
    return text.decode("latin-1")
