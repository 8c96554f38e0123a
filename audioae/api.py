"""`audioae.open(store)`: one published generation, with a method for each job.

Conventions
-----------
- A `Library` is one immutable generation: what is published afterwards does not change its answers. `refresh` gives the
  newest one.
- A score is the cosine of two embeddings: 1 for the same sound, higher = closer.
- Methods may be called from several threads at once.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from audioae.errors import AudioaeError
from audioae.library.client_ids import ClientIds
from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.library.track_search import TrackPage, TrackSearch, search_tracks
from audioae.library.track_state import TrackState, track_state
from audioae.playlists.builder import PlaylistAnswer
from audioae.playlists.from_index import IndexedPlaylists
from audioae.playlists.options import PlaylistOptions
from audioae.playlists.sonic_path import SonicPath, sonic_path
from audioae.recommend.answer import Play, RecommendAnswer
from audioae.recommend.config import HALF_LIFE_DAYS
from audioae.similarity.answer import Answer
from audioae.similarity.artists import Artists
from audioae.similarity.batch import similar_batch
from audioae.similarity.known_tracks import KnownTrack, track_id_of
from audioae.similarity.query import DEFAULT
from audioae.similarity.search import Options, SimilarQuery, similar
from audioae.similarity.seeds import Seed
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

if TYPE_CHECKING:
    from audioae.evaluation.compare_versions import VersionComparison
    from audioae.explore.opened_map import OpenedMap
    from audioae.explore.track_map import TrackMap
    from audioae.recommend.listener import ListenerRecommender
    from audioae.screening.pages import FindingsPage, FindingsPages


class Library(Generation):
    """A generation of a store and the jobs that stand on it.

    Example: `audioae.open("data").similar("Night Drive", k=10)`.
    """

    def similar(
        self,
        seeds: Seed | Sequence[Seed],
        k: int = 10,
        *,
        minus: Seed | Sequence[Seed] = (),
        options: Options | None = None,
    ) -> Answer:
        """The `k` tracks that sound most like `seeds`, closest first.

        Parameters
        ----------
        seeds : str, np.ndarray, TrackSeed, AliasSeed, EmbeddingSeed, FileSeed, or a sequence of them
            A track_id, a title, the path of any audio file, or an embedding of shape (128,); a text may end in its
            weight (`Night Drive:2`). Several are combined as `similarity.rerank` says.
        k : int
            How many neighbors; fewer only if fewer match: then the answer says why (`short`).
        minus : like `seeds`
            What the answer should not sound like.
        options : Options
            Filters, diversity and so on; the default leaves out the seeds, and duplicates of them and of each other.

        Raises
        ------
        SearchError
            If a seed is unknown (`UnknownTrackError`), the seeds cancel each other, or nothing passes the filters
            (`NoMatchError`).
        AudioError
            If a file cannot be used.
        """
        return similar(self, seeds, k, minus=minus, options=options or DEFAULT)

    def similar_batch(self, queries: Sequence[SimilarQuery]) -> list[Answer | AudioaeError]:
        """What `similar` answers to each query, in their order, faster than one by one.

        Parameters
        ----------
        queries : sequence of SimilarQuery
            Each has the seeds, `k`, `minus` and options of a call of `similar`.

        Returns
        -------
        results : list of Answer or AudioaeError
            In place of the answer to a query that has none, the error that `similar` raises; the others have answers.
        """
        return similar_batch(self, queries)

    @cached_property
    def artists(self) -> Artists:
        """The artists of the catalog: `library.artists.similar("Night Drive", k=10)`."""
        return Artists(self)

    def playlist(
        self,
        waypoints: Sequence[KnownTrack],
        options: PlaylistOptions | None = None,
        filters: Filters | None = None,
        *,
        decode: bool = False,
    ) -> PlaylistAnswer:
        """A playlist that moves smoothly, by sound, from the first waypoint through the others to the last.

        Parameters
        ----------
        waypoints : sequence of str, TrackSeed or AliasSeed
            Two or more tracks: track_ids, titles or aliases.
        options : PlaylistOptions
            Length and rules; default: 25 tracks.
        filters : Filters, optional
            Only matching tracks are picked; waypoints need not match.
        decode : bool
            Whether audio may be opened for `tempo` and `seamless`; if not, what is stored must do.

        Raises
        ------
        SearchError
            If a waypoint is unknown (`UnknownTrackError`) or has no embedding, if too few tracks are left, if rules
            contradict each other (`options.strict`), or if audio is needed that may not be opened.
        AudioError
            If the audio of a waypoint is needed and cannot be read.
        """
        track_ids = [track_id_of(self, waypoint) for waypoint in waypoints]
        return self._playlists.make(track_ids, options or PlaylistOptions(n=25), filters or Filters(), decode=decode)

    def recommend(
        self,
        plays: Sequence[Play],
        k: int = 10,
        *,
        filters: Filters | None = None,
        half_life_days: float = HALF_LIFE_DAYS,
    ) -> RecommendAnswer:
        """The `k` tracks that suit a listener best among those that the listener has not played.

        Parameters
        ----------
        plays : sequence of Play
            Those of one listener. Plays of unknown tracks are counted.
        k : int
        filters : Filters, optional
        half_life_days : float
            The weight of a play halves in this time.

        Raises
        ------
        SearchError
            If no play is of a track with an embedding, or a weight is not above 0.
        ModuleNotFoundError
            If scipy is not installed, which comes with the extra `pipeline`.
        """
        return self._recommender.recommend(plays, k, filters or Filters(), half_life_days)

    def track(self, track_id: str) -> TrackState:
        """A track and its state: embedded, duplicate, rejected or pending. Raises `UnknownTrackError`."""
        return track_state(self, track_id)

    def search_tracks(self, query: str, limit: int = 20, offset: int = 0) -> TrackPage:
        """The tracks whose title, artist or track_id a text names, the best match first.

        Parameters
        ----------
        query : str
            Case does not matter. An empty text matches every track.
        limit, offset : int
            Up to 100 tracks, from this one on.

        Raises
        ------
        SearchError
            If `limit` or `offset` is out of range.
        """
        return search_tracks(self, self.track_search, query, limit, offset)

    def findings(
        self, check: str | None = None, limit: int = 20, offset: int = 0, *, issues_only: bool = False
    ) -> "FindingsPage":
        """What the checks found: the worst findings of one check, or without a check an overview of all.

        Parameters
        ----------
        check : str, optional
        limit, offset : int
            Up to 100 findings, from this one on; the worst is 0.
        issues_only : bool
            Only findings below the check's threshold.

        Raises
        ------
        NotScreenedError
            If the store has no findings yet.
        SearchError
            If there are no findings of this check, or `limit` or `offset` is out of range.
        """
        return self._findings.page(check, limit, offset, issues_only)

    def map(self, version: str | None = None, *, look: bool = True) -> "TrackMap":
        """The tracks as points of a map: their places, columns to color them by, and selections of them.

        Parameters
        ----------
        version : str, optional
            What `TrackMap.version` was when rows were counted that are asked for now.
        look : bool
            Whether to look for a newer map, and newer findings, even if the last look was seconds ago.

        Raises
        ------
        NotMappedError
            If the store has no map yet.
        MapChangedError
            If there is another map than that of `version`.
        """
        return self._opened_map.get(version, look=look)

    @cached_property
    def track_search(self) -> TrackSearch:
        """The words of the catalog."""
        return TrackSearch(self.tracks)

    def sonic_path(
        self, start: str, end: str, at_most: int = 25, *, exact: bool = False, filters: Filters | None = None
    ) -> SonicPath:
        """Tracks that lead from one to another.

        Parameters
        ----------
        start, end : str
            track_ids; the first and the last track, whether or not they pass the filters.
        at_most : int, 2 to 500
            How many tracks, both ends included: fewer only if there are fewer, an error then if `exact`.
        filters : Filters, optional

        Raises
        ------
        SearchError
            If an end is unknown or has no embedding, or there are too few tracks.
        """
        return sonic_path(self, self.playlist, start, end, at_most, exact=exact, filters=filters or Filters())

    def client_ids(self, namespace: str | None = None) -> ClientIds:
        """The catalog as a client sees it that has its own IDs for the tracks: the aliases in `namespace`."""
        return self._client_ids.setdefault(namespace, ClientIds(self, namespace))

    def compare_versions(self, a: str, b: str | None = None, *, max_tracks: int = 10_000) -> "VersionComparison":
        """What changed from one version of the embeddings to another: neighbors kept, per track, label and region.

        Parameters
        ----------
        a, b : str
            Versions of `embeddings` or `index`, the earlier one first. Default of `b`: the embeddings of this library.
        max_tracks : int
            Measure at most this many tracks, sampled at random.

        Raises
        ------
        EvaluationError
            If one is no version of these, or they share too few tracks.
        """
        from audioae.evaluation.compare_versions import compare_versions

        later = DatasetRef.parse(b) if b else self.embeddings_ref
        return compare_versions(self.store, DatasetRef.parse(a), later, max_tracks=max_tracks)

    def refresh(self) -> "Library":
        """The newest generation: this object if it is current, else a new one."""
        return self if self.is_current() else Library(self.store)

    @cached_property
    def _playlists(self) -> IndexedPlaylists:
        return IndexedPlaylists(self)

    @cached_property
    def _findings(self) -> "FindingsPages":
        from audioae.screening.pages import FindingsPages

        return FindingsPages(self)

    @cached_property
    def _opened_map(self) -> "OpenedMap":
        from audioae.explore.opened_map import OpenedMap

        return OpenedMap(self)

    @cached_property
    def _recommender(self) -> "ListenerRecommender":
        from audioae.recommend.listener import ListenerRecommender

        return ListenerRecommender(self)

    @cached_property
    def _client_ids(self) -> dict[str | None, ClientIds]:
        return {}


def open_library(store: str, *, index: str | None = None) -> Library:
    """See `audioae.open`."""
    opened = Store(store, verify=False)
    return Library(opened, DatasetRef.parse(index) if index else opened.require("index"))
