"""`audioae.open(store)`: one published generation, with a method for each job.

Conventions
-----------
- A `Library` is one generation: what is published afterwards does not change its answers.
- A score is the cosine of two embeddings: 1 for the same sound, higher = closer.
"""

from collections.abc import Sequence

from audioae.library.generation import Generation
from audioae.similarity.search import Answer, Options, similar
from audioae.similarity.seeds import Seed


class Library(Generation):
    """A generation of a store and the jobs that stand on it."""

    def similar(
        self, seeds: Seed | Sequence[Seed], k: int, *, minus: Seed | Sequence[Seed] = (), options: Options | None = None
    ) -> Answer:
        """The `k` tracks that sound most like `seeds`, closest first.

        Parameters
        ----------
        seeds : str, np.ndarray, or a sequence of them
            A track_id, a title, the path of any audio file, or an embedding of shape (128,); a text may end in its
            weight (`Night Drive:2`). Several are combined as `similarity.rerank` says.
        k : int
            How many neighbors; fewer only if fewer match.
        minus : the same
            What the answer should not sound like.
        options : Options
            Filters, diversity and so on; the default leaves out the seeds, and duplicates of them and of each other.

        Raises
        ------
        SearchError
            If a seed is unknown, the seeds cancel each other, or nothing passes the filters.
        AudioError
            If a file cannot be used.
        """
        return similar(self, seeds, k, minus=minus, options=options or Options())
