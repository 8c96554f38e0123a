"""`audioae.connect(url)`: a served library, with the methods of `audioae.open(store)`.

Conventions
-----------
- Answers are the same objects as the library's, and what goes wrong is the same exceptions. What only a service can do
  wrong (it is away, it refuses the key, it is overloaded) is a `ServiceError`.
- A service takes no titles and no paths, so the client resolves them: a text that is no track_id is looked up as a
  title, and then as a file on this machine, which is uploaded.
- A client keeps its connections. It may be used by several threads, and as a context manager.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from audioae.client.answers import (
    ServedEmbedding,
    ServedPlaylist,
    findings_from,
    playlist_from,
    recommendations_from,
    tracks_from,
)
from audioae.client.forms import TypedQuery, answer_from, filters_form, play_form, query_form, track_form
from audioae.client.seeds import SeedResolver, as_sent
from audioae.client.transport import Transport, error_of
from audioae.errors import AudioaeError, UnknownTrackError
from audioae.library.filters import Filters
from audioae.library.records import Track
from audioae.library.track_search import TrackPage
from audioae.library.track_state import TrackState
from audioae.playlists.options import PlaylistOptions
from audioae.recommend.answer import Play, RecommendAnswer
from audioae.recommend.config import HALF_LIFE_DAYS
from audioae.screening.pages import FindingsPage
from audioae.similarity.answer import Answer
from audioae.similarity.known_tracks import KnownTrack
from audioae.similarity.query import DEFAULT, Options, SimilarQuery
from audioae.similarity.seeds import FileSeed, Seed

MAX_QUERIES = 256  # of one request


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
        self._service = Transport(url, api_key, timeout_s)
        self._seeds = SeedResolver(self._service)
        self.url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of indexed recordings."""
        return self.index()["n"]

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def index(self) -> dict[str, Any]:
        """The index that answers: its name, its model, its size, what its gate measured, and its age in seconds."""
        return self._service.get("/v1/index")

    def similar(
        self,
        seeds: Seed | Sequence[Seed],
        k: int = 10,
        *,
        minus: Seed | Sequence[Seed] = (),
        options: Options | None = None,
    ) -> Answer:
        """See `Library.similar`. Of the seeds, the answer has what was sent."""
        query = SimilarQuery(seeds, k, minus, options or DEFAULT)
        literal = as_sent(query)
        try:
            return self._similar(literal)
        except UnknownTrackError:
            if not literal.has_texts:
                raise
        return self._similar(self._seeds.look_up(query))

    def similar_batch(self, queries: Sequence[SimilarQuery]) -> list[Answer | AudioaeError]:
        """See `Library.similar_batch`."""
        answers: list[Answer | AudioaeError] = []
        for start in range(0, len(queries), MAX_QUERIES):
            answers += self._batch(queries[start : start + MAX_QUERIES])
        return answers

    def embed(self, path: str | Path) -> ServedEmbedding:
        """See `Library.embed`; the file is one of this machine, and is uploaded."""
        return self._seeds.embed(FileSeed(path))

    def find(self, query: str) -> Track:
        """See `Library.find`. The track has the columns that the service shows."""
        return self._seeds.find(query).track

    def track(self, track_id: str) -> TrackState:
        """See `Library.track`."""
        return self._seeds.track(track_id)

    def search_tracks(self, query: str, limit: int = 20, offset: int = 0) -> TrackPage:
        """See `Library.search_tracks`."""
        return tracks_from(self._service.get("/v1/tracks", query=query, limit=limit, offset=offset))

    def playlist(
        self,
        waypoints: Sequence[KnownTrack],
        options: PlaylistOptions | None = None,
        filters: Filters | None = None,
    ) -> ServedPlaylist:
        """See `Library.playlist`; the service opens no audio."""
        body = {
            **(options or PlaylistOptions(n=25)).model_dump(mode="json"),
            "waypoints": [track_form(self._seeds.known(waypoint)) for waypoint in waypoints],
            "filters": filters_form(filters),
        }
        return playlist_from(self._service.post("/v1/playlist", body))

    def recommend(
        self,
        plays: Sequence[Play],
        k: int = 10,
        *,
        filters: Filters | None = None,
        half_life_days: float = HALF_LIFE_DAYS,
    ) -> RecommendAnswer:
        """See `Library.recommend`; up to 10,000 plays."""
        body = {
            "plays": [play_form(play) for play in plays],
            "k": k,
            "filters": filters_form(filters),
            "half_life_days": half_life_days,
        }
        return recommendations_from(self._service.post("/v1/recommend", body))

    def findings(
        self, check: str | None = None, limit: int = 20, offset: int = 0, *, issues_only: bool = False
    ) -> FindingsPage:
        """See `Library.findings`."""
        answer = self._service.get("/v1/findings", check=check, limit=limit, offset=offset, issues_only=issues_only)
        return findings_from(answer)

    def _similar(self, query: TypedQuery) -> Answer:
        if len(query.seeds) == 1 and isinstance(query.seeds[0], FileSeed):
            return self._seeds.similar_to_file(query)
        sent = self._seeds.without_files(query)
        return answer_from(self._service.post("/v1/similar", query_form(sent)), sent)

    def _batch(self, queries: Sequence[SimilarQuery]) -> list[Answer | AudioaeError]:
        sent = [self._seeds.without_files(as_sent(query)) for query in queries]
        content = self._service.post("/v1/similar:batch", {"queries": [query_form(query) for query in sent]})
        answers: list[Answer | AudioaeError] = []
        for asked, query, item in zip(queries, sent, content["results"], strict=True):
            answer = _result(item, query)
            if isinstance(answer, UnknownTrackError) and query.has_texts:
                answer = self._caught(asked)
            answers.append(answer)
        return answers

    def _caught(self, query: SimilarQuery) -> Answer | AudioaeError:
        try:
            return self._similar(self._seeds.look_up(query))
        except AudioaeError as error:
            return error


def _result(item: dict[str, Any], query: TypedQuery) -> Answer | AudioaeError:
    if item["error"]:
        return error_of(item["error"])
    try:
        return answer_from(item, query)
    except AudioaeError as error:
        return error
