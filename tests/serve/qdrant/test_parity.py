"""Answers that must be those of Qdrant: the same calls of its client against audioae and against a Qdrant in memory."""

from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from tests.serve.qdrant.conftest import NAME, Both

ALL = 404


def hits(client: QdrantClient, **question: Any) -> list[tuple[float, Any, Any]]:
    """Score, ID and payload of each hit; hits of equal score, such as byte-identical tracks, in the order of IDs."""
    found = client.query_points(NAME, **question).points
    return sorted(((round(p.score, 4), p.id, p.payload) for p in found), key=lambda hit: (-hit[0], hit[1]))


def assert_same(both: Both, **question: Any) -> list[Any]:
    ours, theirs = hits(both.client, **question), hits(both.qdrant, **question)
    assert [hit[0] for hit in ours] == pytest.approx([hit[0] for hit in theirs], abs=2e-4)
    assert {hit[1] for hit in ours} == {hit[1] for hit in theirs}
    by_id = {hit[1]: hit[2] for hit in theirs}
    assert all(payload == by_id[point_id] for _, point_id, payload in ours)
    return ours


@pytest.fixture(scope="module")
def ids(both: Both) -> list[Any]:
    return [point.id for point in both.qdrant.scroll(NAME, limit=ALL, with_payload=False)[0]]


def field(key: str, **condition: Any) -> models.FieldCondition:
    return models.FieldCondition(key=key, **condition)


NARROW = models.Filter(
    must=[field("year", range=models.Range(gte=1980, lt=2015))],
    must_not=[field("label", match=models.MatchAny(any=["style 1", "style 2", "no such label"]))],
    should=[
        field("duration_s", range=models.Range(gt=200)),
        models.Filter(must=[field("added_at", range=models.DatetimeRange(gte="2024-01-01T00:00:00Z"))]),  # pyright: ignore[reportArgumentType]
    ],
)


def test_nearest_to_a_point(both: Both, ids: list[Any]):
    for point_id in ids[::40]:
        found = assert_same(both, query=point_id, limit=ALL)
        assert len(found) == ALL - 1
        assert point_id not in {hit[1] for hit in found}


def test_nearest_to_a_vector_of_any_length(both: Both):
    vector = np.random.default_rng(3).standard_normal(128) * 17
    assert len(assert_same(both, query=vector.tolist(), limit=ALL)) == ALL
    assert len(assert_same(both, query=vector, limit=7)) == 7


@pytest.mark.parametrize("negative", [[], [5], [5, 6, 7]])
def test_recommendation_from_the_average_vector(both: Both, ids: list[Any], negative: list[int]):
    recommend = models.RecommendInput(positive=[ids[20], ids[90]], negative=[ids[i] for i in negative])
    found = assert_same(both, query=models.RecommendQuery(recommend=recommend), limit=ALL)
    assert len(found) == ALL - 2 - len(negative)
    named = recommend.model_copy(update={"strategy": models.RecommendStrategy.AVERAGE_VECTOR})
    assert_same(both, query=models.RecommendQuery(recommend=named), limit=ALL)


def test_recommendation_from_vectors(both: Both, ids: list[Any]):
    vectors = [point.vector for point in both.qdrant.retrieve(NAME, ids[30:32], with_vectors=True)]
    recommend = models.RecommendInput(positive=[vectors[0], ids[50]], negative=[vectors[1]])  # pyright: ignore[reportArgumentType]
    assert len(assert_same(both, query=models.RecommendQuery(recommend=recommend), limit=ALL)) == ALL - 1


def test_filtered(both: Both, ids: list[Any]):
    found = assert_same(both, query=ids[7], query_filter=NARROW, limit=ALL)
    assert 20 < len(found) < 300
    assert_same(both, query=ids[7], query_filter=models.Filter(must=models.HasIdCondition(has_id=ids[:9])), limit=20)
    none = models.Filter(must=[field("label", match=models.MatchValue(value="no such label"))])
    assert assert_same(both, query=ids[7], query_filter=none, limit=5) == []


def test_offset_and_threshold(both: Both, ids: list[Any]):
    every = assert_same(both, query=ids[3], limit=ALL)
    pages = [hits(both.client, query=ids[3], limit=50, offset=start) for start in range(0, ALL, 50)]
    assert [hit[0] for page in pages for hit in page] == [hit[0] for hit in every]
    assert sorted(hit[1] for page in pages for hit in page) == sorted(hit[1] for hit in every)
    widest = max(range(50, 150), key=lambda i: every[i][0] - every[i + 1][0])
    lowest = (every[widest][0] + every[widest + 1][0]) / 2
    assert len(assert_same(both, query=ids[3], limit=ALL, score_threshold=lowest)) == widest + 1
    assert assert_same(both, query=ids[3], limit=5, score_threshold=1.5) == []
    assert assert_same(both, query=ids[3], limit=5, offset=ALL) == []


@pytest.mark.parametrize(
    "selector",
    [
        True,
        False,
        ["title"],
        [],
        models.PayloadSelectorInclude(include=["year", "uri"]),
        models.PayloadSelectorExclude(exclude=["uri", "added_at"]),
    ],
)
def test_payload_and_vector(both: Both, ids: list[Any], selector: Any):
    one, other = (
        client.query_points(NAME, ids[11], limit=3, with_payload=selector, with_vectors=True).points
        for client in (both.client, both.qdrant)
    )
    assert [p.payload or {} for p in one] == [p.payload or {} for p in other]
    assert [p.vector for p in one] == [pytest.approx(p.vector, abs=1e-6) for p in other]


def test_batch(both: Both, ids: list[Any]):
    searches = [
        models.QueryRequest(query=ids[1], limit=5, with_payload=True),
        models.QueryRequest(query=both.qdrant.retrieve(NAME, [ids[2]], with_vectors=True)[0].vector, limit=3),  # pyright: ignore[reportArgumentType]
        models.QueryRequest(query=ids[3], limit=2, filter=NARROW, with_vector=True),
    ]
    ours = both.client.query_batch_points(NAME, searches)
    theirs = both.qdrant.query_batch_points(NAME, searches)
    assert [len(answer.points) for answer in ours] == [5, 3, 2]
    for one, other in zip(ours, theirs, strict=True):
        assert [p.score for p in one.points] == pytest.approx([p.score for p in other.points], abs=1e-5)


def test_scrolling_through_all_points(both: Both):
    for scroll_filter in (None, NARROW):
        pages, after = [], None
        while True:
            ours, next_ = both.client.scroll(NAME, scroll_filter=scroll_filter, limit=50, offset=after)
            theirs = both.qdrant.scroll(NAME, scroll_filter=scroll_filter, limit=50, offset=after)
            assert ([(p.id, p.payload) for p in ours], next_) == ([(p.id, p.payload) for p in theirs[0]], theirs[1])
            pages += [p.id for p in ours]
            after = next_
            if after is None:
                break
        assert len(pages) == len(set(pages)) == both.qdrant.count(NAME, count_filter=scroll_filter).count


def test_scrolling_from_between_two_points(both: Both, ids: list[Any]):
    for start in (0, ids[100] - 1, ids[100], ids[-1], ids[-1] + 1):
        ours, theirs = (client.scroll(NAME, limit=3, offset=start) for client in (both.client, both.qdrant))
        assert ([p.id for p in ours[0]], ours[1]) == ([p.id for p in theirs[0]], theirs[1])


def test_counts(both: Both):
    for count_filter in (None, NARROW, models.Filter(must_not=[NARROW])):
        for exact in (True, False):
            ours = both.client.count(NAME, count_filter=count_filter, exact=exact)
            assert ours == both.qdrant.count(NAME, count_filter=count_filter)


def test_retrieval(both: Both, ids: list[Any]):
    wanted = [ids[9], ids[2], 12345, ids[30]]
    ours, theirs = (client.retrieve(NAME, wanted, with_vectors=True) for client in (both.client, both.qdrant))
    assert {p.id: p.payload for p in ours} == {p.id: p.payload for p in theirs}
    assert [p.id for p in ours] == [ids[9], ids[2], ids[30]]


@pytest.mark.parametrize(("key", "facet_filter"), [("label", None), ("artist", NARROW), ("year", None)])
def test_facets(both: Both, key: str, facet_filter: models.Filter | None):
    ours, theirs = (
        client.facet(NAME, key, facet_filter=facet_filter, limit=1000, exact=True).hits
        for client in (both.client, both.qdrant)
    )
    assert {hit.value: hit.count for hit in ours} == {hit.value: hit.count for hit in theirs}
    assert [hit.count for hit in ours] == sorted((hit.count for hit in ours), reverse=True)
    assert both.client.facet(NAME, key, facet_filter=facet_filter, limit=2).hits == ours[:2]
