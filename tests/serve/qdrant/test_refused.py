"""What is not supported is refused by name, with Qdrant's shape of an error."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from audioae.serve.problems import Problem
from audioae.serve.qdrant.bodies import SearchParams
from audioae.serve.qdrant.points import check_params
from tests.serve.qdrant.conftest import NAME
from tests.serve.serving import Server

GEO = models.GeoRadius(center=models.GeoPoint(lon=1, lat=1), radius=3)
PLACE = models.Filter(must=[models.FieldCondition(key="year", geo_radius=GEO)])
VECTOR = [0.5] * 128


def recommend(**parts: Any) -> models.RecommendQuery:
    return models.RecommendQuery(recommend=models.RecommendInput(positive=["t01"], **parts))


def query(query: Any, **options: Any) -> Any:
    return lambda client: client.query_points(NAME, query, **options)


@pytest.mark.parametrize(
    ("call", "status", "message"),
    [
        (query("t01", query_filter=PLACE), 400, "filter.must[0].geo_radius is not supported"),
        (
            query(recommend(strategy="best_score")),
            400,
            "query.recommend.strategy: Input should be 'average_vector'; got",
        ),
        (
            query(recommend(strategy="sum_scores")),
            400,
            "query.recommend.strategy: Input should be 'average_vector'; got",
        ),
        (query(models.RecommendQuery(recommend=models.RecommendInput(negative=["t01"]))), 400, "positive is missing"),
        (query(recommend(negative=["t01"])), 400, "t01: both liked and disliked"),
        (query(models.FusionQuery(fusion=models.Fusion.RRF)), 400, "query.fusion is not supported"),
        (query(models.OrderByQuery(order_by="year")), 400, "query.order_by is not supported"),
        (query(models.SampleQuery(sample=models.Sample.RANDOM)), 400, "query.sample is not supported"),
        (query(models.NearestQuery(nearest="t01", mmr=models.Mmr(diversity=0.5))), 400, "query.mmr is not supported"),
        (query(models.SparseVector(indices=[1], values=[1.0])), 400, "query.nearest: wanted a point ID or a vector"),
        (query([VECTOR, VECTOR]), 400, "query.nearest[0]: Input should be a valid number"),
        (query([0.5] * 100), 400, "query.nearest: List should have at least 128 items after validation, not 100"),
        (query([0.0] * 128), 400, "embedding: got shape (128,), length 0; wanted (128,), finite, not zero"),
        (query(None), 400, "query is missing"),
        (query("t01", prefetch=models.Prefetch(query="t02")), 400, "prefetch is not supported"),
        (query("t01", using="image"), 400, "using: Input should be ''; got 'image'"),
        (query("t01", with_vectors=["image"]), 400, "with_vector: Input should be a valid boolean"),
        (query("t01", with_payload=["bpm"]), 400, "with_payload[0]: Input should be 'track_id', 'title'"),
        (query("t01", lookup_from=models.LookupLocation(collection="x")), 400, "lookup_from is not supported"),
        (query("t01", shard_key_selector="x"), 400, "shard_key is not supported"),
        (query("t01", limit=0), 400, "limit: Input should be greater than or equal to 1; got 0"),
        (query("t01", limit=600, offset=600), 400, "offset and limit: wanted at most 1000 together"),
        (
            query("t01", search_params=models.SearchParams(acorn=models.AcornSearchParams(enable=True))),
            400,
            "params.ac",
        ),
        (query("zz"), 404, "no track_id 'zz'"),
        (query(7), 404, "no track_id '0000000000000007'"),
        (query(-7), 400, "query.nearest: Input should be greater than or equal to 0; got -7"),
        (query("t57"), 400, "t57 (Title 57) has no embedding; silent: peak -inf dBFS"),
        (
            lambda c: c.query_points("other", "t01"),
            404,
            "Not found: Collection `other` doesn't exist; the collection is",
        ),
        (lambda c: c.get_collection("other"), 404, "Not found: Collection `other` doesn't exist"),
        (lambda c: c.scroll(NAME, order_by="year"), 400, "order_by is not supported"),
        (lambda c: c.scroll(NAME, scroll_filter=PLACE), 400, "filter.must[0].geo_radius is not supported"),
        (lambda c: c.count(NAME, count_filter=PLACE), 400, "filter.must[0].geo_radius is not supported"),
        (lambda c: c.facet(NAME, "bpm"), 400, "key: Input should be 'title', 'artist', 'album', 'label' or 'year'"),
        (
            lambda c: c.query_batch_points(
                NAME, [models.QueryRequest(query="t01"), models.QueryRequest(query="t01", filter=PLACE)]
            ),
            400,
            "searches[1].filter.must[0].geo_radius is not supported",
        ),
        (lambda c: c.query_points_groups(NAME, query="t01", group_by="artist"), 400, "points/query/groups is not supp"),
        (lambda c: c.search_matrix_pairs(NAME), 400, "points/search/matrix/pairs is not supported"),
        (lambda c: c.upsert(NAME, [models.PointStruct(id=1, vector=VECTOR)]), 405, "the collection is read only"),
        (lambda c: c.delete(NAME, [1]), 405, f"POST /collections/{NAME}/points/delete is not supported"),
        (lambda c: c.set_payload(NAME, {"a": 1}, [1]), 405, "the collection is read only"),
        (lambda c: c.delete_payload(NAME, ["a"], [1]), 405, "the collection is read only"),
        (lambda c: c.batch_update_points(NAME, []), 405, "the collection is read only"),
        (lambda c: c.create_collection("new", models.VectorParams(size=4, distance="Cosine")), 405, "read only"),  # pyright: ignore[reportArgumentType]
        (lambda c: c.update_collection(NAME), 405, "the collection is read only"),
        (lambda c: c.delete_collection(NAME), 405, f"DELETE /collections/{NAME} is not supported"),
        (lambda c: c.create_payload_index(NAME, "label", "keyword"), 405, "the collection is read only"),
        (lambda c: c.update_collection_aliases([]), 405, "the collection is read only"),
        (lambda c: c.create_snapshot(NAME), 405, "the collection is read only"),
    ],
)
def test_the_client_is_told_what_is_not_supported(client: QdrantClient, call: Any, status: int, message: str):
    with pytest.raises(UnexpectedResponse) as error:
        call(client)
    answer = error.value.structured()
    assert error.value.status_code == status
    assert message in answer["status"]["error"]
    assert answer["time"] >= 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"query": "t01"', "the body is not JSON"),
        (b"[]", "body: Input should be a valid dictionary"),
        (b"", "body is missing"),
        (b'{"query": "t01", "limt": 3}', "limt is not supported"),
        (b'{"query": {"nearest": "t01", "recommend": {"positive": ["t02"]}}}', "wanted one of nearest and recommend"),
        (b'{"query": "t01", "score_threshold": NaN}', "score_threshold: Input should be a finite number"),
        (b'{"query": [' + b"NaN," * 127 + b"NaN]}", "query[0]: Input should be a finite number"),
        (
            b'{"query": "t01", "filter": ' + b'{"must": ' * 3000 + b"{}" + b"}" * 3001,
            "There was an error parsing the body",
        ),
        (b'{"query": "t01", "filter": ' + b'{"must": ' * 300 + b"{}" + b"}" * 301, "filter.must[0].must[0]"),
        (b'{"query": "\\ud800"}', "query: Input should be a valid string"),
        (b'{"query": 1e400}', "query: wanted a point ID, a vector of 128 numbers, nearest or recommend"),
        (b'{"query": 18446744073709551616}', "query: Input should be less than 18446744073709551616"),
        (b'{"query": "t01", "filter": {"must": [{"key": "year", "match": {"value": 9007199254740993000000}}]}}', None),
        (b'{"query": "t01", "limit": null, "filter": null, "with_payload": null, "params": {"exact": null}}', None),
    ],
)
def test_odd_bodies(served: Server, body: bytes, message: str | None):
    with served.client() as http:
        headers = {"Content-Type": "application/json"}
        answer = http.post(f"/collections/{NAME}/points/query", content=body, headers=headers)
    if message is None:
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    else:
        assert answer.status_code == 400
        assert message in answer.json()["status"]["error"]


def test_a_parameter_is_not_ignored_either(served: Server, client: QdrantClient):
    with served.client() as http:
        answer = http.get("/collections", params={"limit": 3})
    assert (answer.status_code, answer.json()["status"]["error"]) == (400, "the parameter limit is not supported")
    assert client.query_points(NAME, "t01", timeout=5, consistency=1).points


@pytest.mark.parametrize(
    ("point_id", "status"), [("9" * 5000, 400), ("x" * 201, 400), ("18446744073709551616", 404), ("%D9%A3", 404)]
)
def test_paths_of_odd_points(served: Server, point_id: str, status: int):
    with served.client() as http:
        answer = http.get(f"/collections/{NAME}/points/{point_id}")
    assert (answer.status_code, list(answer.json()["status"])) == (status, ["error"])


@pytest.mark.parametrize("params", [SearchParams(exact=True), SearchParams(hnsw_ef=64)])
def test_a_search_is_never_less_exact_than_it_was_asked_to_be(params: SearchParams, client: QdrantClient):
    approximate = cast(Any, SimpleNamespace(index=SimpleNamespace(factory="IVF64,SQ8")))
    with pytest.raises(Problem, match=r"^searches\[0\].params.(exact|hnsw_ef) is not supported: IVF64,SQ8 searches"):
        check_params(approximate, params, "searches[0].params")
    check_params(approximate, SearchParams(indexed_only=True), "params")
    hints = models.SearchParams(exact=params.exact, hnsw_ef=params.hnsw_ef)  # this index is Flat
    assert client.query_points(NAME, "t01", search_params=hints).points


def test_a_full_queue_is_a_503_to_try_again(served: Server, client: QdrantClient, monkeypatch: pytest.MonkeyPatch):
    from audioae.serve.pools import Pool, QueueFullError

    async def full(self: Pool, function: Any) -> None:
        raise QueueFullError("search", 64)

    monkeypatch.setattr(Pool, "run", full)
    with pytest.raises(UnexpectedResponse, match="64 requests of the kind search wait already") as error:
        client.query_points(NAME, "t01")
    assert error.value.status_code == 503
    assert int(error.value.headers["Retry-After"]) >= 1
