"""`GET /api/...`: similar_tracks, find_path, search_tracks, max_distance, health, active_tasks.

Conventions
-----------
- IDs are the client's own (`ServeConfig.namespace`), and so is what an answer contains.
- `distance` is 1 - cosine, as AudioMuse-AI's is by default; the plugin for Navidrome shows 1 - distance.
- `eliminate_duplicates` is at most 3 tracks per artist; copies of one recording are left out always.
- `radius_similarity` is the order: the same tracks as without it, as a walk on which each sounds like the one before it
  (AudioMuse-AI also chooses them from a wider circle). Both are on unless they are switched off, as there.
- `mood_similarity`, `mood_pct` and `count` change nothing: there is no model of moods here, and `max_steps` says how
  many. A mood, an anchor or lyrics to start from is refused.
- Errors are `{"error": message}`: 400 for a malformed request, 404 for what is not found.

Source: the requests of AudioMuse-AI-NV-plugin (Navidrome), audiomuse-ai-plugin (Jellyfin), lyrion-audiomuseai-plugin
and lms-audiomuse-mixer (Lyrion), and what an AudioMuse-AI server answers them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from audioae.errors import SearchError
from audioae.library.records import Track
from audioae.library.word_search import row_titled, rows_with_words
from audioae.serve.audiomuse.artists import similar_artists
from audioae.serve.audiomuse.query import Query
from audioae.serve.problems import Problem, problem_of
from audioae.serve.requests import call
from audioae.similarity.search import Options
from audioae.similarity.seeds import EmbeddingSeed, TrackSeed
from audioae.similarity.walk_order import in_walk_order

router = APIRouter()

MAX_TRACKS, MAX_PATH = 1000, 500
PER_ARTIST = 3  # AudioMuse-AI's MAX_SONGS_PER_ARTIST
UNKNOWN = "unknown"  # what AudioMuse-AI calls an album without a name

Rows = list[dict[str, Any]]


def similar_tracks(query: Query) -> Rows:
    """The tracks that sound most like one."""
    query.refuse("mood", "centroid_index", "anchor_id")
    n = query.number("n", 10, most=MAX_TRACKS)
    capped = query.flag("eliminate_duplicates", default=True)
    options = Options(filters=query.ids.filters, max_per_artist=PER_ARTIST if capped else None)
    answer = query.library.similar(TrackSeed(_seed(query)), n, options=options)
    if query.flag("radius_similarity", default=True):
        answer = in_walk_order(query.library, answer)
    distances = [{"distance": 1 - neighbor.score} for neighbor in answer.neighbors]
    return _rows(query, [neighbor.track_id for neighbor in answer.neighbors], distances)


def find_path(query: Query) -> dict[str, Any]:
    """Tracks that lead from one to another: at most `max_steps` with both ends, or so many (`path_fix_size=true`)."""
    query.refuse("start_mood", "end_mood", "start_anchor", "end_anchor")
    if query.text("path_space").lower() not in ("", "audio"):
        raise Problem(400, "path_space: wanted audio, the only space of this server")
    start, end = (query.ids.track_id(query.required(name)) for name in ("start_song_id", "end_song_id"))
    if start == end:
        raise Problem(400, "Start and end songs cannot be the same.")
    n, exact = query.number("max_steps", 25, least=2, most=MAX_PATH), query.flag("path_fix_size", default=False)
    path = query.library.sonic_path(start, end, n, exact=exact, filters=query.ids.filters)
    return {"path": _rows(query, path.track_ids), "total_distance": path.length}


def search_tracks(query: Query) -> Rows:
    """The tracks whose title or artist contains each word."""
    if query.text("index").lower() not in ("", "musicnn"):
        raise Problem(400, "index: is not supported by this server; leave it out")
    words = query.text("search_query") or f"{query.text('artist')} {query.text('title')}".strip()
    start = query.number("start", 0, least=0, most=10**9)
    end = query.number("end", start + 20, least=0, most=start + 500)
    if not words or end <= start:
        return []
    rows = rows_with_words(query.library.track_search, query.library.tracks.num_rows, words)
    rows = rows if query.ids.known is None else rows[query.ids.known[rows]]
    return _rows(query, query.track_ids(rows[start:end].tolist()))


def max_distance(query: Query) -> dict[str, Any]:
    """How far the farthest track is: the nearest to the opposite of this one's embedding."""
    track = query.ids.track(query.ids.track_id(query.required("item_id")))
    opposite = EmbeddingSeed(-query.library.embedding_of(track))
    answer = query.library.similar(opposite, 1, options=Options(filters=query.ids.filters))
    farthest = answer.neighbors[0]
    return {"max_distance": 1 + farthest.score, "farthest_item_id": query.ids.of([farthest.track_id])[0]}


def health(query: Query) -> dict[str, Any]:
    """The server answers."""
    return {"status": "ok"}


def active_tasks(query: Query) -> dict[str, Any]:
    """No task runs, ever; the plugin for Jellyfin tests its connection by asking."""
    return {}


def _seed(query: Query) -> str:
    """The track_id that is asked about: by the client's ID, or by title and artist."""
    if client_id := query.text("item_id"):
        return query.ids.track_id(client_id)
    title, artist = query.text("title"), query.text("artist")
    if not (title and artist):
        raise Problem(400, "Request must include either 'item_id' or both 'title' and 'artist'.")
    row = row_titled(query.library, title, artist, among=query.ids.known)
    return query.track_ids([row])[0]


def _rows(query: Query, track_ids: Sequence[str], more: Sequence[dict[str, Any]] | None = None) -> Rows:
    """Tracks as AudioMuse-AI describes them, with more of each; those that the client has not are left out."""
    more = more or [{}] * len(track_ids)
    return [
        {"item_id": client_id, **_described(query.ids.track(track_id)), **extra}
        for track_id, client_id, extra in zip(track_ids, query.ids.of(track_ids), more, strict=True)
        if client_id is not None
    ]


def _described(track: Track) -> dict[str, str]:
    return {"title": track.title or "", "author": track.artist or "", "album": track.album or UNKNOWN}


ENDPOINTS: dict[str, tuple[str, Callable[[Query], Any]]] = {
    "similar_tracks": ("search", similar_tracks),
    "find_path": ("jobs", find_path),
    "search_tracks": ("jobs", search_tracks),
    "similar_artists": ("jobs", similar_artists),
    "max_distance": ("search", max_distance),
    "health": ("search", health),
    "active_tasks": ("search", active_tasks),
}


def _add(name: str, pool: str, function: Callable[[Query], Any]) -> None:
    async def endpoint(request: Request) -> Response:
        try:
            payload = await call(request, pool, lambda library: function(Query(request, library)))
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            status = 404 if isinstance(error, SearchError) else problem.status
            return _json({"error": str(error)}, status, problem.headers)
        return _json(payload)

    router.add_api_route(f"/api/{name}", endpoint, methods=["GET"], name=f"audiomuse_{name}", include_in_schema=False)


def _json(payload: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(payload), status, headers, "application/json")


for _name, (_pool, _function) in ENDPOINTS.items():
    _add(_name, _pool, _function)
