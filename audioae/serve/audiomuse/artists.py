"""`GET /api/similar_artists`: the artists that sound most like one, by name or by the client's ID.

Conventions
-----------
- A client's ID of an artist is an alias in the namespace `NAMESPACE-artists` of any track by the artist: the plugin for
  Navidrome knows artists by such IDs only. Without this namespace there are only names.
- `divergence` is 1 - the cosine of the artists' mean embeddings. AudioMuse-AI compares mixtures of several components,
  and names tracks for each pair of them (`component_matches`); here an artist is one component, represented by the
  tracks that sound most like the other artist.
- `ef_search` changes nothing: all artists are compared.
"""

from typing import Any

from audioae.errors import SearchError, UnknownTrackError
from audioae.serve.audiomuse.query import Query
from audioae.serve.problems import Problem

MAX_ARTISTS = 100
REPRESENTATIVES = 3  # tracks of each of two artists that show what they have in common


def similar_artists(query: Query) -> list[dict[str, Any]]:
    """The artists that sound most like one, closest first."""
    asked = query.text("artist") or query.text("artist_id")
    if not asked:
        raise Problem(400, "Missing 'artist' or 'artist_id' parameter")
    artist, n = _name(query, asked), query.number("n", 10, most=MAX_ARTISTS)
    found = query.library.artists.similar(artist, n, among=query.ids.known)
    if not found:
        raise SearchError(f"no artist but {artist!r} has tracks here")
    explained = query.flag("include_component_matches", default=False)
    rows = []
    for other in found:
        row = {"artist": other.artist, "artist_id": _client_id(query, other.artist), "divergence": 1 - other.score}
        if explained:
            row["component_matches"] = [_in_common(query, artist, other.artist, 1 - other.score)]
        rows.append(row)
    return rows


def _namespace(query: Query) -> str | None:
    return None if query.namespace is None else f"{query.namespace}-artists"


def _name(query: Query, asked: str) -> str:
    """The artist's name that a client's ID means; what is no ID is a name."""
    if (namespace := _namespace(query)) is None:
        return asked
    try:
        track_id = query.library.aliases.track_id(namespace, asked)
    except UnknownTrackError:
        return asked
    return query.ids.track(track_id).artist or asked


def _client_id(query: Query, artist: str) -> str | None:
    """The client's ID of an artist, None if it has none."""
    namespace = _namespace(query)
    if namespace is None or namespace not in query.library.aliases.namespaces:
        return None
    rows = query.library.artists.tracks_of(artist).tolist()
    known = query.library.aliases.external_ids(namespace, query.track_ids(rows))
    return next((client_id for client_id in known if client_id is not None), None)


def _in_common(query: Query, artist: str, other: str, distance: float) -> dict[str, Any]:
    match: dict[str, Any] = {"component1_index": 0, "component2_index": 0, "distance": distance}
    for key, own, towards in (("artist1", artist, other), ("artist2", other, artist)):
        rows = query.library.artists.closest_tracks(own, towards, REPRESENTATIVES, among=query.ids.known)
        track_ids = query.track_ids(rows)
        match[f"{key}_representative_songs"] = [
            {"item_id": client_id, "title": query.ids.track(track_id).title or ""}
            for track_id, client_id in zip(track_ids, query.ids.of(track_ids), strict=True)
        ]
    return match
