"""Typed rows: a record has attributes for programs with a type checker, and is a mapping for everybody else.

>>> track = Track(track_id="0a", uri="/music/a.mp3", title="A")
>>> track.title, track["title"], dict(track)["artist"]
('A', 'A', None)
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from audioae.catalog.paths import bytes_of, displayed, path_of


class Record(Mapping[str, object]):
    """Base of frozen dataclasses that can be read as mappings, in the order of their fields."""

    def __getitem__(self, name: str) -> object:
        if name not in self._names():
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        names = cls.__dict__.get("_field_names")
        if names is None:
            names = tuple(field.name for field in fields(cls))  # pyright: ignore[reportArgumentType]
            cls._field_names = names
        return names


@dataclass(frozen=True, eq=False)
class Track(Record):
    """A row of the catalog, or an audio file from outside, of which only the title and the uri are known.

    `track_id` is None for a file or an embedding from outside; `duplicate_of` names the track with the same bytes.
    """

    track_id: str | None = None
    uri: str | None = None
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    label: str | None = None
    split: str | None = None
    year: int | None = None
    duration_s: float | None = None
    content_hash: str | None = None
    size_bytes: int | None = None
    modified_ns: int | None = None
    shard: int | None = None
    added_at: datetime | None = None
    duplicate_of: str | None = None
    audio_hash: str | None = None
    path_bytes: bytes | None = None
    artists: list[str] | None = None
    genres: list[str] | None = None
    isrc: str | None = None
    musicbrainz_id: str | None = None

    @property
    def path(self) -> str:
        """The path to open: `uri`, or the `path_bytes` of a name that is not UTF-8, of which `uri` is how it is shown.

        >>> Track(uri="/music/a.mp3").path
        '/music/a.mp3'
        """
        return path_of(self)


def outside_track(path: str | Path) -> Track:
    """The record of an audio file that is not in the catalog."""
    whole = os.path.abspath(path)
    return Track(uri=displayed(whole), path_bytes=bytes_of(whole), title=displayed(Path(path).stem))
