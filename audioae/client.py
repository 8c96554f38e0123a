"""`audioae.connect(url)`: a served library, with the methods of `audioae.open(store)`.

Conventions
-----------
- Answers are the same objects as the library's, and what goes wrong is the same exceptions. What only a service can do
  wrong (it is away, it refuses the key, it is overloaded) is a `ServiceError`.
- A service takes no titles and no paths, so the client resolves them: a text that is no track_id is looked up as a
  title, and then as a file on this machine, which is uploaded.
- A client keeps its connections. It may be used by several threads, and as a context manager.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
import numpy as np

from audioae import errors
from audioae.errors import AudioaeError, AudioError, NoMatchError, SearchError, ServiceError, UnknownTrackError
from audioae.library.filters import Filters
from audioae.library.records import Track
from audioae.similarity.answer import Answer, Neighbor
from audioae.similarity.search import Options
from audioae.similarity.seeds import WEIGHTED, AliasSeed, EmbeddingSeed, Seed, TrackSeed, TypedSeed, listed

LISTED = 10  # tracks in a message


class RemoteLibrary:
    """A library that `audioae serve` answers for.

    Parameters
    ----------
    url : str
        Where the service is: `http://127.0.0.1:8000`.
    api_key : str, optional
    timeout_s : float
        For one request, uploads included.

    Example: `audioae.connect("http://127.0.0.1:8000").similar("Night Drive", k=10)`.
    """

    def __init__(self, url: str, *, api_key: str | None = None, timeout_s: float = 60.0):
        headers = {"X-API-Key": api_key} if api_key else {}
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout_s)
        self.url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def similar(
        self,
        seeds: Seed | Sequence[Seed],
        k: int = 10,
        *,
        minus: Seed | Sequence[Seed] = (),
        options: Options | None = None,
    ) -> Answer:
        """See `Library.similar`. In the answer, seeds have only what was sent of them."""
        liked, disliked = listed(seeds), listed(minus)
        if not liked:
            raise SearchError("no seed: wanted at least one track, file or embedding to be like")
        try:
            return self._similar([_literal(seed) for seed in liked], [_literal(seed) for seed in disliked], k, options)
        except UnknownTrackError:
            if not any(isinstance(seed, str) for seed in (*liked, *disliked)):
                raise
        return self._similar([self._meant(s) for s in liked], [self._meant(s) for s in disliked], k, options)

    def find(self, query: str) -> Track:
        """See `Library.find`."""
        try:
            return self._track(query)
        except UnknownTrackError:
            pass
        page = self._get("/v1/tracks", query=query, limit=LISTED)
        rows, total = page["tracks"], page["total"]
        whole = [row for row in rows if (row["title"] or "").lower() == query.lower()]
        if len(whole) == 1 or total == 1:
            return self._track((whole or rows)[0]["track_id"])
        if not total:
            raise SearchError(f"no track {query!r} at {self.url}; expected a track_id, a title or an audio file")
        named = "\n".join(f"  {row['track_id']}  {row['title']} - {row['artist']} ({row['album']})" for row in rows)
        raise SearchError(f"{query!r} matches {total} tracks; name one by its track_id:\n{named}")

    def _track(self, track_id: str) -> Track:
        row = self._get(f"/v1/tracks/{quote(track_id, safe='')}")
        return Track(**{field.name: row.get(field.name) for field in fields(Track)})

    def _similar(self, liked: list[TypedSeed], disliked: list[TypedSeed], k: int, options: Options | None) -> Answer:
        body = {
            "seeds": [_seed_json(seed) for seed in liked],
            "minus": [_seed_json(seed) for seed in disliked],
            "k": k,
            **_options_json(options or Options()),
        }
        return _answer(self._post("/v1/similar", body), [*liked, *disliked])

    def _meant(self, seed: Seed) -> TypedSeed:
        """A typed seed; a text is looked up, and a file on this machine is uploaded."""
        if not isinstance(seed, str):
            return _literal(seed)
        try:
            return self._named(seed, 1.0)
        except SearchError:
            parts = WEIGHTED.fullmatch(seed)
            if parts is None:
                raise
            return self._named(parts["seed"], float(parts["weight"]))

    def _named(self, text: str, weight: float) -> TypedSeed:
        try:
            return TrackSeed(str(self.find(text).track_id), weight)
        except SearchError:
            if not Path(text).is_file():
                raise
            return EmbeddingSeed(self._embed(Path(text)), weight)

    def _embed(self, path: Path) -> np.ndarray:
        with path.open("rb") as opened:
            answer = self._request("POST", "/v1/embed", files={"file": (path.name, opened)})
        return np.asarray(answer["embedding"], np.float32)

    def _get(self, path: str, **parameters: Any) -> dict[str, Any]:
        return self._request("GET", path, params={k: v for k, v in parameters.items() if v is not None})

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._request("POST", path, json=body)

    def _request(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            raise ServiceError(
                f"{self.url}: {type(error).__name__} ({error}); check that `audioae serve` runs there"
            ) from error
        if response.is_success:
            return response.json()
        raise _error(response, self.url)


def _literal(seed: Seed) -> TypedSeed:
    """A typed seed without looking anything up: a text is taken for a track_id."""
    if isinstance(seed, str):
        return TrackSeed(seed)
    return EmbeddingSeed(seed) if isinstance(seed, np.ndarray) else seed


def _seed_json(seed: TypedSeed) -> dict[str, Any]:
    if isinstance(seed, TrackSeed):
        return {"track_id": seed.track_id, "weight": seed.weight}
    if isinstance(seed, AliasSeed):
        return {"alias": {"namespace": seed.namespace, "id": seed.external_id}, "weight": seed.weight}
    return {"embedding": seed.embedding.tolist(), "weight": seed.weight}


def _options_json(options: Options) -> dict[str, Any]:
    return {
        "filters": _filters_json(options.filters),
        "diversity": options.diversity,
        "max_per_artist": options.max_per_artist,
        "hub_correction": options.hub_correction,
        "keep_duplicates": options.keep_duplicates,
    }


def _filters_json(filters: Filters) -> dict[str, Any] | None:
    if not filters:
        return None
    year, duration_s = filters.year, filters.duration_s
    return {
        "label": list(filters.label),
        "artist": list(filters.artist),
        "album": list(filters.album),
        "year": {"gte": year[0], "lte": year[1]},
        "duration_s": {"gte": duration_s[0], "lte": duration_s[1]},
        "added_after": filters.added_after.isoformat() if filters.added_after else None,
        "allow_ids": None if filters.allow is None else list(filters.allow),
        "deny_ids": list(filters.deny),
    }


def _answer(content: Mapping[str, Any], seeds: Sequence[TypedSeed]) -> Answer:
    if not content["n_matching"]:
        raise NoMatchError(content["short"])
    tracks = [Track(track_id=seed.track_id if isinstance(seed, TrackSeed) else None) for seed in seeds]
    return Answer(tracks, [Neighbor(**row) for row in content["neighbors"]], content["n_matching"], content["short"])


def _error(response: httpx.Response, url: str) -> AudioaeError:
    """The exception that a problem stands for."""
    try:
        problem = response.json()
        kind, text = (
            problem["type"].removeprefix("urn:audioae:"),
            "; ".join(part for part in (problem["detail"], problem["action"]) if part),
        )
    except (ValueError, KeyError, TypeError):
        return ServiceError(f"{url} answered {response.status_code}; check that `audioae serve` runs there")
    if kind.startswith("audio-"):
        reason = kind.removeprefix("audio-")
        return AudioError(reason, text.removeprefix(f"{reason}: "))
    name = "".join(part.title() for part in kind.split("-")) + "Error"
    known = getattr(errors, name, None)
    if isinstance(known, type) and issubclass(known, AudioaeError) and known is not AudioaeError:
        return known(text)
    where = f"{problem['where']}: " if problem.get("where") else ""
    return (SearchError if kind == "invalid-request" else ServiceError)(f"{where}{text}")
