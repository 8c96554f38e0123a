"""Answers to "what sounds like this": seeds become a query, filters limit the search, the nearest become an answer.

Conventions
-----------
- Left out by default: the seeds, their duplicates, and of any group of duplicates all but the nearest. Exact duplicates
  have the same bytes; near duplicates were found when the index was built; a file from outside is compared at once.
- If only a duplicate of a recording passes the filters, the duplicate is shown.
- As many tracks as wanted come back, unless fewer match.
- Without filters a query touches no array of the catalog's length: its cost beside the search does not grow with the
  catalog (`python -m tests.bench query`).
"""

from collections.abc import Sequence

from audioae.errors import AudioaeError
from audioae.library.generation import Generation
from audioae.similarity.answer import Answer
from audioae.similarity.batch import similar_batch
from audioae.similarity.query import Options, SimilarQuery
from audioae.similarity.seeds import Seed

__all__ = ["Options", "SimilarQuery", "similar"]


def similar(
    library: Generation, seeds: Seed | Sequence[Seed], k: int, *, minus: Seed | Sequence[Seed] = (), options: Options
) -> Answer:
    """The `k` tracks that sound most like `seeds` and least like `minus`: a batch of one; see `Library.similar`."""
    (answer,) = similar_batch(library, [SimilarQuery(seeds, k, minus, options)])
    if isinstance(answer, AudioaeError):
        raise answer
    return answer
