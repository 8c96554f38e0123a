"""Recommendations for one listener, as typed rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audioae.library.records import Record
from audioae.similarity.known_tracks import KnownTrack


@dataclass(frozen=True)
class Play:
    """A play of a track, or a sum of plays.

    Parameters
    ----------
    track : str, TrackSeed or AliasSeed
        A track_id, or an alias.
    weight : float
        Above 0: a number of plays, or a rating.
    played_at : datetime or None
        Without a time zone it is UTC. Of one listener's plays all have one, or none.
    """

    track: KnownTrack
    weight: float = 1.0
    played_at: datetime | None = None


@dataclass(frozen=True, eq=False)
class PlayedTrack(Record):
    """A played track that explains a recommendation; `cosine` is that of the two sounds."""

    track_id: str
    title: str | None
    artist: str | None
    label: str | None
    cosine: float


@dataclass(frozen=True, eq=False)
class Recommendation(Record):
    """A recommended track.

    Attributes
    ----------
    rank : int
        From 1.
    score : float
        By how many standard deviations the track suits the listener better than the average track does.
    taste : int
        The number of the listener's taste that it fits, from 1.
    because : sequence of PlayedTrack
        The closest played tracks of that taste.
    """

    rank: int
    score: float
    track_id: str
    title: str | None
    artist: str | None
    album: str | None
    label: str | None
    uri: str
    taste: int
    because: Sequence[PlayedTrack]


@dataclass(frozen=True, eq=False)
class Taste(Record):
    """A taste of the listener: its number, its share of the plays, and which tracks it is made of.

    Attributes
    ----------
    n_tracks : int
    labels, titles : sequence of str
        The most frequent labels; the titles of the tracks that were played most.
    """

    taste: int
    share: float
    n_tracks: int
    labels: Sequence[str]
    titles: Sequence[str]


@dataclass(frozen=True)
class RecommendAnswer:
    """New tracks for a listener, the best first.

    Attributes
    ----------
    recommendations : list of Recommendation
    tastes : list of Taste
        The largest share first.
    n_new : int
        Recordings that the listener has not played and that pass the filters.
    unknown_plays : int
        Plays of tracks that the catalog does not have, or that have no embedding.
    short : str or None
        Why there are fewer recommendations than were wanted.
    """

    recommendations: list[Recommendation]
    tastes: list[Taste]
    n_new: int
    unknown_plays: int
    short: str | None = None
