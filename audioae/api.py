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

from audioae.errors import AudioaeError
from audioae.library.client_ids import ClientIds
from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.playlists.sonic_path import SonicPath, sonic_path
from audioae.similarity.answer import Answer
from audioae.similarity.artists import Artists
from audioae.similarity.batch import similar_batch
from audioae.similarity.query import DEFAULT
from audioae.similarity.search import Options, SimilarQuery, similar
from audioae.similarity.seeds import Seed
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


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
        """What `similar` answers to each query, in their order, in about half the time per query.

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

    def refresh(self) -> "Library":
        """The newest generation: this object if it is current, else a new one."""
        return self if self.is_current() else Library(self.store)

    @cached_property
    def _client_ids(self) -> dict[str | None, ClientIds]:
        return {}


def open_library(store: str, *, index: str | None = None) -> Library:
    """See `audioae.open`."""
    opened = Store(store, verify=False)
    return Library(opened, DatasetRef.parse(index) if index else opened.require("index"))
