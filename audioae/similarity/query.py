"""Questions, and the queries that they become: seeds are resolved, combined and checked.

Conventions
-----------
- Many queries are prepared at once; one that cannot be answered becomes its error, and stops no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np

from audioae.errors import AudioaeError, SearchError
from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.similarity.rerank import combine_seeds
from audioae.similarity.seeds import Resolved, Seed, attempt, listed, resolve_all


@dataclass(frozen=True)
class Options:
    """How an answer is made from the neighbors.

    Parameters
    ----------
    filters : Filters
    diversity : float in [0, 1]
        0: only closeness counts; .5: closeness and difference from the tracks already chosen count equally.
    max_per_artist : int or None
    hub_correction : bool
        Penalize hubs: tracks that are close to everything.
    keep_duplicates : bool
        Leave out nothing but the seeds themselves.
    """

    filters: Filters = field(default_factory=Filters)
    diversity: float = 0.0
    max_per_artist: int | None = None
    hub_correction: bool = False
    keep_duplicates: bool = False

    @property
    def reranks(self) -> bool:
        """Whether more than closeness decides."""
        return self.diversity > 0 or self.hub_correction or self.max_per_artist is not None


DEFAULT = Options()


@dataclass(frozen=True)
class SimilarQuery:
    """One of many questions to `Library.similar_batch`; its fields are what `Library.similar` takes."""

    seeds: Seed | Sequence[Seed]
    k: int = 10
    minus: Seed | Sequence[Seed] = ()
    options: Options = DEFAULT


class Query(NamedTuple):
    """What is searched for.

    Attributes
    ----------
    vector : np.ndarray, shape (128,), float32, L2-normalized
    k : int
    seeds : list of Resolved
        The liked, then the disliked ones.
    options : Options
    """

    vector: np.ndarray
    k: int
    seeds: list[Resolved]
    options: Options


def prepare(library: Generation, asked: Sequence[SimilarQuery]) -> list[Query | AudioaeError]:
    """The queries to search for, in the order of `asked`; in place of one that cannot be answered, its error."""
    seeds = [(listed(one.seeds), listed(one.minus)) for one in asked]
    resolved = iter(resolve_all(library, [seed for liked, disliked in seeds for seed in (*liked, *disliked)]))
    return [
        attempt(_query, library, one, [*islice(resolved, len(liked))], [*islice(resolved, len(disliked))])
        for one, (liked, disliked) in zip(asked, seeds, strict=True)
    ]


def _query(
    library: Generation,
    asked: SimilarQuery,
    seeds: list[Resolved | AudioaeError],
    minus: list[Resolved | AudioaeError],
) -> Query:
    if asked.k < 1 or asked.options is not DEFAULT:
        _check(asked.k, asked.options)
    liked, disliked = _sound(seeds), _sound(minus)
    if not liked:
        raise SearchError("no seed: wanted at least one track, file or embedding to be like")
    if disliked and (both := {seed.row for seed in liked} & {seed.row for seed in disliked} - {-1}):
        named = sorted(str(library.lookup.cells.texts["track_id"][row]) for row in both)
        raise SearchError(f"{', '.join(named)}: both liked and disliked; name it once")
    vector = combine_seeds(
        [seed.embedding for seed in liked],
        [seed.weight for seed in liked],
        [seed.embedding for seed in disliked],
        [seed.weight for seed in disliked],
    )
    return Query(vector, asked.k, [*liked, *disliked], asked.options)


def _check(k: int, options: Options) -> None:
    if k < 1:
        raise SearchError(f"k={k}: wanted at least 1 neighbor")
    if not 0 <= options.diversity <= 1:
        raise SearchError(f"diversity={options.diversity:g}: wanted 0 (closeness only) to 1 (difference only)")
    if options.max_per_artist is not None and options.max_per_artist < 1:
        raise SearchError(f"max_per_artist={options.max_per_artist}: wanted at least 1")


def _sound(seeds: list[Resolved | AudioaeError]) -> list[Resolved]:
    """The seeds, if all were resolved; else raises the first error."""
    for seed in seeds:
        if isinstance(seed, AudioaeError):
            raise seed
    return seeds  # pyright: ignore[reportReturnType]
