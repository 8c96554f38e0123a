"""`POST /v1/similar:batch`: each query gets what `/v1/similar` answers it, and stops no other."""

import numpy as np
import pytest

from tests.serve.serving import Server

GOOD = {"seeds": [{"track_id": "t07"}], "k": 5}


def ask(server: Server, queries: list, status: int = 200) -> dict:
    with server.client() as client:
        answer = client.post("/v1/similar:batch", json={"queries": queries})
        assert answer.status_code == status, answer.text
        return answer.json()


FILTERS: list[dict] = [{"label": "style 1"}, {"year": {"gte": 1990}}, {"year": {"gte": 3000}}]
OPTIONS: list[dict] = [{"diversity": 0.5}, {"max_per_artist": 1}, {"keep_duplicates": True}, {"diversity": 3}]


def random_query(rng: np.random.Generator) -> dict:
    """A query; about one in four has no answer."""
    seeds = [{"track_id": f"t{n:02d}", "weight": 2.0} for n in rng.integers(62, size=rng.integers(1, 3))]
    query: dict = {"seeds": seeds, "k": int(rng.choice([1, 5, 60, 1001], p=[0.3, 0.4, 0.25, 0.05]))}
    if rng.random() < 0.2:
        query["seeds"].append({"embedding": rng.standard_normal(128).round(3).tolist()})
    if rng.random() < 0.2:
        query["minus"] = [{"track_id": "t20"}]
    if rng.random() < 0.3:
        query["filters"] = FILTERS[rng.integers(len(FILTERS))]
    if rng.random() < 0.3:
        query |= OPTIONS[rng.integers(len(OPTIONS))]
    return query


def test_each_query_gets_the_answer_or_the_problem_that_it_gets_alone(served: Server):
    rng = np.random.default_rng(3)
    queries = [random_query(rng) for _ in range(200)]
    answer = ask(served, queries)
    assert answer["index"] == str(served.library.index_ref)
    assert answer["model"] == str(served.library.model_ref)
    assert len(answer["results"]) == len(queries)
    problems = set()
    with served.client() as client:
        for query, result in zip(queries, answer["results"], strict=True):
            alone = client.post("/v1/similar", json=query)
            if alone.status_code == 200:
                wanted = alone.json()
                assert result["error"] is None
                assert result["short"] == wanted["short"]
                assert result["n_matching"] == wanted["n_matching"]
                assert [n["track_id"] for n in result["neighbors"]] == [n["track_id"] for n in wanted["neighbors"]]
                for one, other in zip(result["neighbors"], wanted["neighbors"], strict=True):
                    assert one == {**other, "score": pytest.approx(other["score"], abs=2e-6)}
            else:
                problem = alone.json()
                problems.add(problem["status"])
                assert result["error"] == {**problem, "request_id": None}
                assert (result["neighbors"], result["n_matching"], result["short"]) == ([], 0, None)
    assert problems == {404, 422}


@pytest.mark.parametrize(
    ("item", "status", "where"),
    [
        ({"seeds": [{"track_id": "nobody"}]}, 404, None),
        ({"seeds": []}, 422, "seeds"),
        ({**GOOD, "k": 0}, 422, "k"),
        ({**GOOD, "color": "red"}, 422, "color"),
        ({"seeds": [{"title": "Title 7"}]}, 422, "seeds.0.title"),
        ({**GOOD, "filters": {"year": {"gte": 2000, "lte": 1990}}}, 422, None),
        ("t07", 422, None),
        (None, 422, None),
    ],
)
def test_a_faulty_query_is_a_problem_of_its_own(served: Server, item: object, status: int, where: str | None):
    first, faulty, last = ask(served, [GOOD, item, GOOD])["results"]
    assert (faulty["error"]["status"], faulty["error"]["where"]) == (status, where)
    assert first == last
    assert len(first["neighbors"]) == 5


def test_no_match_is_an_empty_answer(served: Server):
    (result,) = ask(served, [{**GOOD, "filters": {"year": {"gte": 3000}}}])["results"]
    assert (result["neighbors"], result["n_matching"], result["error"]) == ([], 0, None)
    assert "no track" in result["short"]


def test_a_batch_has_one_to_256_queries(served: Server):
    assert len(ask(served, [GOOD] * 256)["results"]) == 256
    for queries in ([], [GOOD] * 257):
        assert ask(served, queries, 422)["where"] == "queries"


def test_a_batch_does_not_ask_for_more_neighbors_than_fit(served: Server):
    assert len(ask(served, [{**GOOD, "k": 1000}] * 64)["results"]) == 64
    problem = ask(served, [{**GOOD, "k": 1000}] * 65, 422)
    assert problem["detail"] == "k adds up to 65,000, wanted 64,000 at most"


def test_what_is_no_batch_is_refused(served: Server):
    with served.client() as client:
        for content, status in ((b"{", 400), (b"", 400), (b"[]", 422), (b'{"queries": 3}', 422)):
            answer = client.post("/v1/similar:batch", content=content)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
