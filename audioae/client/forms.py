"""Seeds, filters and options as the service takes them, and its answers as the library gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audioae.errors import NoMatchError, SearchError
from audioae.library.filters import Filters, Range
from audioae.library.records import Track
from audioae.recommend.answer import Play
from audioae.similarity.answer import Answer, Neighbor
from audioae.similarity.query import Options
from audioae.similarity.seeds import AliasSeed, EmbeddingSeed, TrackSeed, TypedSeed


@dataclass(frozen=True)
class TypedQuery:
    """A query whose seeds are typed; `has_texts`: some of them were texts, and are taken for track_ids."""

    seeds: Sequence[TypedSeed]
    k: int
    minus: Sequence[TypedSeed]
    options: Options
    has_texts: bool = False


def seed_form(seed: TypedSeed) -> dict[str, Any]:
    """A seed of a request. A file is none: it is uploaded first."""
    if isinstance(seed, TrackSeed):
        return {"track_id": seed.track_id, "weight": seed.weight}
    if isinstance(seed, AliasSeed):
        return {"alias": {"namespace": seed.namespace, "id": seed.external_id}, "weight": seed.weight}
    if isinstance(seed, EmbeddingSeed):
        return {"embedding": seed.embedding.tolist(), "weight": seed.weight}
    raise SearchError(f"{seed}: a file cannot be sent as a seed; embed it first")


def track_form(seed: TrackSeed | AliasSeed) -> dict[str, Any]:
    """A track that a request names, without a weight."""
    return {name: value for name, value in seed_form(seed).items() if name != "weight"}


def play_form(play: Play) -> dict[str, Any]:
    """A play of `/v1/recommend`; a text is a track_id."""
    track = TrackSeed(play.track) if isinstance(play.track, str) else play.track
    when = play.played_at.isoformat() if play.played_at else None
    return {**track_form(track), "weight": play.weight, "played_at": when}


def filters_form(filters: Filters | None) -> dict[str, Any] | None:
    if not filters:
        return None
    return {
        "label": list(filters.label),
        "artist": list(filters.artist),
        "album": list(filters.album),
        "year": _range_form(filters.year),
        "duration_s": _range_form(filters.duration_s),
        "added_after": filters.added_after.isoformat() if filters.added_after else None,
        "allow_ids": None if filters.allow is None else list(filters.allow),
        "deny_ids": list(filters.deny),
    }


def options_form(options: Options) -> dict[str, Any]:
    return {
        "filters": filters_form(options.filters),
        "diversity": options.diversity,
        "max_per_artist": options.max_per_artist,
        "hub_correction": options.hub_correction,
        "keep_duplicates": options.keep_duplicates,
    }


def query_form(query: TypedQuery) -> dict[str, Any]:
    """The body of `/v1/similar`."""
    return {
        "seeds": [seed_form(seed) for seed in query.seeds],
        "minus": [seed_form(seed) for seed in query.minus],
        "k": query.k,
        **options_form(query.options),
    }


def answer_from(content: Mapping[str, Any], query: TypedQuery) -> Answer:
    """The answer of `/v1/similar`; of the seeds it has what was sent.

    Raises
    ------
    NoMatchError
        If nothing passes the filters, as the library does.
    """
    if not content["n_matching"]:
        raise NoMatchError(content["short"])
    tracks = [
        Track(track_id=seed.track_id if isinstance(seed, TrackSeed) else None) for seed in (*query.seeds, *query.minus)
    ]
    return Answer(tracks, [Neighbor(**row) for row in content["neighbors"]], content["n_matching"], content["short"])


def _range_form(ends: Range) -> dict[str, float | None]:
    return {"gte": ends[0], "lte": ends[1]}
