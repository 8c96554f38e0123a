"""A track as OpenSubsonic describes a song (`Child`), and as a match (`sonicMatch`).

Conventions
-----------
- `similarity` is the cosine, 0 where it is negative: 1 is the same sound, 0 is as far as the clients' scale goes.
- Where the file is, is nobody's business: there is no `path`.

Source: https://opensubsonic.netlify.app/docs/responses/child/ and .../sonicmatch/
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from audioae.library.client_ids import ClientIds
from audioae.library.records import Track


def matches(ids: ClientIds, track_ids: Sequence[str], cosines: Sequence[float]) -> list[dict[str, Any]]:
    """The matches of some tracks; those that the client has not are left out."""
    return [
        {"entry": song(ids.track(track_id), client_id), "similarity": min(max(cosine, 0.0), 1.0)}
        for track_id, client_id, cosine in zip(track_ids, ids.of(track_ids), cosines, strict=True)
        if client_id is not None
    ]


def song(track: Track, client_id: str) -> dict[str, Any]:
    """What is known of a track.

    >>> song(Track(track_id="0a", uri="/music/a.MP3"), "12")["title"], song(Track(uri="a.MP3"), "12")["suffix"]
    ('a', 'mp3')
    """
    file = PurePosixPath(track.uri or "")
    optional = {
        "album": track.album,
        "artist": track.artist,
        "year": track.year,
        "genre": track.label,
        "size": track.size_bytes,
        "suffix": file.suffix[1:].lower() or None,
        "duration": None if track.duration_s is None else round(track.duration_s),
        "created": track.added_at.isoformat().replace("+00:00", "Z") if track.added_at else None,
    }
    return {
        "id": client_id,
        "isDir": False,
        "title": track.title or file.stem or client_id,
        "isVideo": False,
        "type": "music",
        "mediaType": "song",
        **{name: value for name, value in optional.items() if value is not None},
    }
