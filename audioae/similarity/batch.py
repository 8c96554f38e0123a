"""Many questions "what sounds like this" at once: one search for all of them, and an answer or an error for each.

Conventions
-----------
- A question gets the answer that it would get alone; one that has none gets its error, and stops no other.

Why: FAISS answers a batch in half the time per query, and what surrounds the search costs a fraction of what it costs
one query: IDs are looked up for all queries in one call (`python -m tests.bench serve`).
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import fields
from typing import Any

from audioae.errors import AudioaeError
from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.similarity.answer import Answer, Neighbors
from audioae.similarity.matching import matching_rows
from audioae.similarity.nearest import Found, nearest
from audioae.similarity.query import DEFAULT, Options, Query, SimilarQuery, prepare
from audioae.similarity.seeds import SeedTracks, attempt

BLOCK = 256  # queries that are answered together; it bounds the memory


def similar_batch(library: Generation, asked: Sequence[SimilarQuery]) -> list[Answer | AudioaeError]:
    """What `Library.similar` answers to each query, or the error that it raises; see `Library.similar_batch`."""
    blocks = (asked[start : start + BLOCK] for start in range(0, len(asked), BLOCK))
    return [result for block in blocks for result in _answered(library, block)]


def _answered(library: Generation, asked: Sequence[SimilarQuery]) -> list[Answer | AudioaeError]:
    results: list[Any] = prepare(library, asked)
    for places in _by_filters(results):
        queries = [results[place] for place in places]
        matches = attempt(matching_rows, library, queries[0].options.filters)
        failed = isinstance(matches, AudioaeError)
        found = [matches] * len(places) if failed else nearest(library, queries, matches)
        for place, result in zip(places, found, strict=True):
            results[place] = result
    return [_answer(library, result) if isinstance(result, Found) else result for result in results]


def _answer(library: Generation, found: Found) -> Answer:
    query, n_matching = found.query, found.n_matching
    neighbors = Neighbors(library.lookup.shown, found.rows, found.cosines)
    short = None if len(neighbors) == query.k else _why_short(len(neighbors), query.k, n_matching, query.options)
    return Answer(SeedTracks(query.seeds), neighbors, n_matching, short)


def _why_short(n: int, k: int, n_matching: int, options: Options) -> str:
    left_out = ["the seeds"]
    if not options.keep_duplicates:
        left_out.append("duplicates")
    if options.max_per_artist is not None:
        left_out.append(f"tracks beyond {options.max_per_artist} per artist")
    passing = f"{n_matching} recordings pass the filters" if options.filters else f"{n_matching} recordings are indexed"
    return f"{n} instead of {k}: {passing}; {_and(left_out)} are left out"


def _and(words: list[str]) -> str:
    """
    >>> _and(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _by_filters(results: Iterable[Query | AudioaeError]) -> Iterable[list[int]]:
    """Places of the queries, those with the same filters together."""
    places: dict[Hashable, list[int]] = {}
    for place, query in enumerate(results):
        if isinstance(query, Query):
            places.setdefault(_key(query.options), []).append(place)
    return places.values()


def _key(options: Options) -> Hashable:
    if options is DEFAULT:
        return None
    if not options.filters:
        return None
    values = [getattr(options.filters, field.name) for field in fields(Filters)]
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)
