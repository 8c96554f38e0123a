"""Points of the catalog of 60, by the real client: values equal to the library's."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient, QdrantClient, models

from audioae.library.filters import Filters
from audioae.library.predicates import OneOf
from audioae.similarity.search import Options
from audioae.similarity.seeds import EmbeddingSeed, TrackSeed
from tests.library.test_aliases import import_rows
from tests.serve.qdrant.conftest import NAME, connect
from tests.serve.serving import Server
from tests.stores import made_store

STYLE = models.Filter(must=[models.FieldCondition(key="label", match=models.MatchValue(value="style 1"))])
IN_STYLE = Filters(where=OneOf("label", ("style 1",)))


def pairs(points: list[models.ScoredPoint]) -> list[tuple[Any, float]]:
    return [(point.id, point.score) for point in points]


def expected(server: Server, *seeds: Any, k: int, minus: Any = (), filters: Filters | None = None):
    options = Options(filters or Filters(), keep_duplicates=True)
    neighbors = server.library.similar(list(seeds), k, minus=minus, options=options).neighbors
    return [(neighbor.track_id, neighbor.score) for neighbor in neighbors]


def test_a_query_gives_what_the_library_gives(served: Server, client: QdrantClient):
    assert pairs(client.query_points(NAME, "t03", limit=20).points) == expected(served, TrackSeed("t03"), k=20)
    found = client.query_points(NAME, "t03", limit=9, query_filter=STYLE).points
    assert pairs(found) == expected(served, TrackSeed("t03"), k=9, filters=IN_STYLE)
    vector = np.random.default_rng(0).standard_normal(128).astype(np.float32)
    found = client.query_points(NAME, vector.tolist(), limit=5).points
    assert pairs(found) == expected(served, EmbeddingSeed(vector), k=5)
    recommend = models.RecommendInput(positive=["t03", "t08"], negative=["t05"])
    found = client.query_points(NAME, models.RecommendQuery(recommend=recommend), limit=5).points
    assert pairs(found) == expected(served, TrackSeed("t03"), TrackSeed("t08"), k=5, minus=[TrackSeed("t05")])


def test_copies_are_points_of_their_own(client: QdrantClient):
    near = [point.id for point in client.query_points(NAME, "t03", limit=2).points]
    assert sorted(map(str, near)) == ["t30", "t31"]  # re-encoded
    first = client.query_points(NAME, "t05", limit=1).points[0]
    assert (first.id, first.score) == ("t50", pytest.approx(1.0, abs=1e-6))  # the same bytes


def test_a_batch_gives_what_single_queries_give(client: QdrantClient):
    requests = [models.QueryRequest(query=f"t{i:02d}", limit=4, filter=STYLE if i % 2 else None) for i in range(10)]
    batch = client.query_batch_points(NAME, requests)
    single = [client.query_points(NAME, r.query, query_filter=r.filter, limit=4).points for r in requests]
    assert [pairs(answer.points) for answer in batch] == [pairs(points) for points in single]
    assert client.query_batch_points(NAME, []) == []


def test_the_payload_is_the_row_of_the_catalog(served: Server, client: QdrantClient):
    point = client.retrieve(NAME, ["t13"], with_vectors=True)[0]
    track = served.library.find("t13")
    assert point.payload == {
        "track_id": "t13",
        "title": "Title 13",
        "artist": "artist 13",
        "album": "album 6",
        "label": "style 1",
        "year": 1993,
        "duration_s": 193.0,
        "uri": "/music/t13.mp3",
        "added_at": "2026-01-14T00:00:00Z",
    }
    assert np.array_equal(np.array(point.vector, np.float32), served.library.embedding_of(track))
    assert client.retrieve(NAME, ["t10"])[0].payload["album"] is None  # pyright: ignore[reportOptionalSubscript]


def test_tracks_without_an_embedding_are_no_points(client: QdrantClient):
    assert client.count(NAME).count == 57
    assert client.retrieve(NAME, ["t57", "t59", "t02", "t02", "zz"])[0].id == "t02"
    points, after = client.scroll(NAME, limit=100, with_payload=False)
    assert ([point.id for point in points], after) == ([f"t{i:02d}" for i in range(57)], None)


def test_pages_of_a_scroll_meet(client: QdrantClient):
    first, after = client.scroll(NAME, limit=30)
    second, end = client.scroll(NAME, limit=30, offset=after)
    assert (after, end) == ("t30", None)
    assert [point.id for point in first + second] == [f"t{i:02d}" for i in range(57)]


def test_one_point_by_its_path(served: Server, both):
    with served.client() as http:
        answer = http.get(f"/collections/{NAME}/points/t13").json()
        assert (answer["status"], answer["result"]["id"], len(answer["result"]["vector"])) == ("ok", "t13", 128)
        assert answer["time"] > 0
        assert answer["index"] == str(served.library.index_ref)
        missing = http.get(f"/collections/{NAME}/points/404")
    assert missing.status_code == 404
    assert missing.json()["status"] == {"error": "Not found: Point with id 404 does not exist"}
    point = both.qdrant.scroll(NAME, limit=1)[0][0]
    with both.server.client() as http:
        for form in (point.id, point.payload["track_id"]):
            assert http.get(f"/collections/{NAME}/points/{form}").json()["result"]["payload"] == point.payload


def test_a_client_without_64_bit_integers_uses_track_ids(both):
    """JavaScript rounds integers above 2^53; a request takes `payload.track_id` as well."""
    point = both.client.scroll(NAME, limit=1)[0][0]
    track_id = point.payload["track_id"]
    assert point.id > 2**53
    assert both.client.retrieve(NAME, [track_id]) == both.client.retrieve(NAME, [point.id])
    by_text, by_number = (both.client.query_points(NAME, one, limit=5) for one in (track_id, point.id))
    assert by_text == by_number
    has_id = models.Filter(must=[models.HasIdCondition(has_id=[track_id])])
    assert both.client.count(NAME, count_filter=has_id).count == 1


def test_the_asynchronous_client(served: Server):
    async def ask() -> list[models.ScoredPoint]:
        client = AsyncQdrantClient(url=served.url, prefer_grpc=False, check_compatibility=False)
        answers = await asyncio.gather(*(client.query_points(NAME, "t03", limit=3) for _ in range(8)))
        await client.close()
        assert all(answer == answers[0] for answer in answers)
        return answers[0].points

    assert pairs(asyncio.run(ask())) == expected(served, TrackSeed("t03"), k=3)


def test_aliases_are_in_the_payload_of_a_store_that_has_some(tmp_path: Path, serve):
    store = made_store(tmp_path, 6)
    import_rows(store, "navidrome", [("n1", "t01"), ("n2", "t02"), ("n3", "t03")])
    import_rows(store, "jellyfin", [("j1", "t01"), ("j4", "t04"), ("j5", "t05")])
    client = connect(serve(store).url)
    payloads = [point.payload for point in client.scroll(NAME, with_payload=["track_id", "aliases"])[0]]
    assert payloads[:3] == [
        {"track_id": "t00", "aliases": {}},
        {"track_id": "t01", "aliases": {"jellyfin": "j1", "navidrome": "n1"}},
        {"track_id": "t02", "aliases": {"navidrome": "n2"}},
    ]
    client.close()
