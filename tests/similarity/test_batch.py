"""Many questions at once: each gets what it would get alone, an answer or an error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import AudioaeError, NoMatchError, SearchError, UnknownTrackError
from audioae.library.filters import Filters
from audioae.pipeline.index import build_index
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from audioae.similarity.answer import Answer
from audioae.similarity.batch import BLOCK
from audioae.similarity.search import Options, SimilarQuery
from audioae.similarity.seeds import EmbeddingSeed, TrackSeed
from tests.stores import made_store

N = 600
FACTORIES = ["auto", "IVF16,PQ64x4fs,RFlat", "IVF16,SQ8"]


@pytest.fixture(scope="module", params=FACTORIES)
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """600 tracks: 60 re-encoded copies, 40 byte-identical ones, 5 rejected, 60 artists, some years unknown."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("batch")
    columns = {
        "artist": [None if i % 50 == 0 else f"artist {i % 60}" for i in range(N)],
        "year": [None if i % 7 == 0 else 1960 + i % 60 for i in range(N)],
        "album": [f"album {i % 11}" for i in range(N)],
    }
    copied = rng.permutation(np.arange(300, N))[:105].tolist()
    store = made_store(
        root,
        N,
        copies={i: i - 300 for i in copied[:60]},
        same_bytes={i: i - 300 for i in copied[60:100]},
        rejected=copied[100:],
        columns=columns,
        indexed=False,
    )
    build_index(store, IndexConfig(factory=request.param, n_queries=50, min_recall=0.0), store.require("embeddings"))
    return Library(store)


def random_query(rng: np.random.Generator) -> SimilarQuery:
    """Any question that may come; about one in six has no answer."""
    seeds = [_random_seed(rng) for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 3]))]
    minus = [_random_seed(rng) for _ in range(rng.choice([0, 0, 0, 1, 2]))]
    filters = _one_of(rng, [{}, {}, *_filters(rng)])
    options = Options(
        Filters(**filters),
        diversity=rng.choice([0, 0, 0, 0.3, 1.0, 1.5], p=[0.2, 0.3, 0.2, 0.14, 0.14, 0.02]),
        max_per_artist=_one_of(rng, [None, None, 1, 2, 0], [0.4, 0.3, 0.14, 0.14, 0.02]),
        hub_correction=bool(rng.random() < 0.3),
        keep_duplicates=bool(rng.random() < 0.3),
    )
    k = int(rng.choice([0, 1, 5, 10, 30, 200, 1000], p=[0.02, 0.1, 0.2, 0.4, 0.16, 0.08, 0.04]))
    return SimilarQuery(seeds, k, minus, options)


def _random_seed(rng: np.random.Generator):
    number = int(rng.integers(N))
    weight = float(rng.choice([1.0, 0.5, 3.0, -1.0], p=[0.6, 0.2, 0.19, 0.01]))
    return _one_of(
        rng,
        [
            TrackSeed(f"t{number:02d}", weight),
            f"t{number:02d}",
            f"Title {number}",
            EmbeddingSeed(rng.standard_normal(128), weight),
            TrackSeed("nobody"),
        ],
        [0.6, 0.15, 0.1, 0.13, 0.02],
    )


def _one_of(rng: np.random.Generator, choices: list, shares: list[float] | None = None) -> Any:
    """One of some values of any kind, which `rng.choice` would turn into an array."""
    return choices[int(rng.choice(len(choices), p=shares))]


def _filters(rng: np.random.Generator) -> list[dict]:
    first = int(rng.integers(1950, 2030))
    some = [f"t{number:02d}" for number in rng.integers(N, size=40)]
    return [
        {"label": ["style 1"]},
        {"label": ["Style 1"], "album": ("album 3", "album 4")},
        {"artist": [f"artist {rng.integers(60)}"]},
        {"year": (first, first + 10)},
        {"year": (first, None), "deny": some},
        {"allow": some},
        {"duration_s": (200.0, 300.0)},
    ]


def alone(library: Library, query: SimilarQuery) -> Answer | AudioaeError:
    try:
        return library.similar(query.seeds, query.k, minus=query.minus, options=query.options)
    except AudioaeError as error:
        return error


def assert_same(got: Answer | AudioaeError, wanted: Answer | AudioaeError) -> None:
    assert type(got) is type(wanted)
    if isinstance(got, Answer) and isinstance(wanted, Answer):
        assert [n.track_id for n in got.neighbors] == [n.track_id for n in wanted.neighbors]
        assert [dict(n) | {"score": 0} for n in got.neighbors] == [dict(n) | {"score": 0} for n in wanted.neighbors]
        assert [n.score for n in got.neighbors] == pytest.approx([n.score for n in wanted.neighbors], abs=2e-6)
        assert (got.n_matching, got.short) == (wanted.n_matching, wanted.short)
        assert [seed.track_id for seed in got.seeds] == [seed.track_id for seed in wanted.seeds]
    else:
        assert str(got) == str(wanted)


def test_each_of_hundreds_of_questions_gets_what_it_gets_alone(library: Library):
    rng = np.random.default_rng(1)
    queries = [random_query(rng) for _ in range(250)]
    results = library.similar_batch(queries)
    kinds = [type(result) for result in results]
    assert kinds.count(Answer) > 125
    assert len(set(kinds)) >= 4  # several kinds of errors
    for result, query in zip(results, queries, strict=True):
        assert_same(result, alone(library, query))
    assert [result.short for result in results if isinstance(result, Answer)].count(None) < kinds.count(Answer)


def test_questions_without_filters_share_one_search_and_each_filter_has_one(
    library: Library, monkeypatch: pytest.MonkeyPatch
):
    sizes = []

    def search(index: SearchIndex, queries: np.ndarray, k: int, among: np.ndarray | None = None):
        sizes.append((len(queries), among is None))
        return original(index, queries, k, among)

    original: Callable = SearchIndex.search
    monkeypatch.setattr(SearchIndex, "search", search)
    filtered = [Options(Filters(label=["style 1"])), Options(Filters(album=["album 3"]))]
    queries = [SimilarQuery(TrackSeed(f"t{i:02d}"), 3) for i in range(20)]
    queries += [SimilarQuery(TrackSeed(f"t{i:02d}"), 3, options=filtered[i % 2]) for i in range(20)]
    assert all(isinstance(result, Answer) for result in library.similar_batch(queries))
    assert sorted(sizes) == [(10, False), (10, False), (20, True)]


def test_a_question_without_an_answer_stops_no_other(library: Library):
    narrow = Options(Filters(year=(1800, 1810)))
    results = library.similar_batch(
        [
            SimilarQuery(TrackSeed("t01"), 3),
            SimilarQuery(TrackSeed("nobody"), 3),
            SimilarQuery([], 3),
            SimilarQuery(TrackSeed("t01"), 3, options=narrow),
            SimilarQuery(TrackSeed("t01"), 3, minus=TrackSeed("t01")),
            SimilarQuery(TrackSeed("t02"), 3),
        ]
    )
    kinds = [Answer, UnknownTrackError, SearchError, NoMatchError, SearchError, Answer]
    assert [type(result) for result in results] == kinds


def test_there_may_be_no_question_or_more_than_fit_one_block(library: Library):
    assert library.similar_batch([]) == []
    results = library.similar_batch([SimilarQuery(TrackSeed(f"t{i % 200:02d}"), 1) for i in range(BLOCK + 7)])
    assert len(results) == BLOCK + 7
    assert_same(results[-1], alone(library, SimilarQuery(TrackSeed(f"t{(BLOCK + 6) % 200:02d}"), 1)))


def test_the_tracks_of_seeds_are_read_when_they_are_asked_for(library: Library):
    answer = library.similar([TrackSeed("t01"), np.ones(128)], minus="t02")
    assert [seed.title for seed in answer.seeds] == ["Title 1", "an embedding", "Title 2"]
    assert [seed.title for seed in answer.seeds[1:]] == ["an embedding", "Title 2"]
    assert answer.seeds == [library.find("t01"), answer.seeds[1], library.find("t02")]
