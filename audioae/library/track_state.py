"""What the catalog says about one track, and whether it can be searched; if not, why.

Conventions
-----------
- A track is `embedded`; a `duplicate` of another track with the same bytes, which is embedded or not; `rejected` for
  good; or `pending`: not processed yet, or tried again from `retry_at` on.
- `reason` and `detail` are those of the track with the same bytes if the track is a duplicate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from audioae.errors import UnknownTrackError
from audioae.library.generation import Generation
from audioae.library.records import Record, Track

State = Literal["embedded", "duplicate", "rejected", "pending"]


@dataclass(frozen=True, eq=False)
class TrackState(Record):
    """A track and its state.

    Attributes
    ----------
    track : Track
        Its row of the catalog.
    state : str
        "embedded", "duplicate", "rejected" or "pending".
    indexed : bool
        Whether searches find its recording.
    copy_of : str or None
        The track that represents its recording, if the index knows the track as a copy of it.
    reason, detail : str or None
        Why it has no embedding: one of `audio.decode.REASONS`, and a sentence.
    retry_at : datetime or None
        When it will be tried again.
    aliases : mapping of namespace to str
        What other systems call it.
    """

    track: Track
    state: State
    indexed: bool
    copy_of: str | None
    reason: str | None
    detail: str | None
    retry_at: datetime | None
    aliases: Mapping[str, str]


def track_state(library: Generation, track_id: str) -> TrackState:
    """See `Library.track`."""
    row = library.lookup.row_of(track_id)
    if row < 0:
        raise UnknownTrackError(f"no track_id {track_id!r} in {library.tracks_ref}; look it up by its title first")
    track, index_row = library.lookup.track(row), int(library.alignment.index_row[row])
    indexed = index_row >= 0
    original = library.lookup.track(library.lookup.row_of(track.duplicate_of)) if track.duplicate_of else track
    reject = {} if indexed else library.reject_of(original) or {}
    retry_at = reject.get("retry_at")
    state: State = "embedded" if indexed else "rejected" if reject and not retry_at else "pending"
    return TrackState(
        track,
        "duplicate" if track.duplicate_of else state,
        indexed,
        _copy_of(library, index_row) if indexed else None,
        reject.get("reason"),
        reject.get("detail"),
        retry_at,
        _aliases(library, track_id),
    )


def _copy_of(library: Generation, index_row: int) -> str | None:
    keeper = int(library.alignment.group[index_row])
    return None if keeper == index_row else str(library.index.ids[keeper].as_py())


def _aliases(library: Generation, track_id: str) -> dict[str, str]:
    names = {name: library.aliases.external_ids(name, [track_id])[0] for name in library.aliases.namespaces}
    return {name: external_id for name, external_id in names.items() if external_id is not None}
