"""Health: what probes get."""

from tests.serve.conftest import READ_KEY


def test_a_server_that_answers_is_alive_and_ready_with_or_without_a_key(served, locked):
    for server in (served, locked):
        with server.client() as client:
            assert client.get("/livez").json() == {"status": "ok"}
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "ok")
            assert ready.json()["index"] == str(server.library.index_ref)


def test_similar_over_http_is_the_librarys_answer(served):
    with served.client(READ_KEY) as client:
        answer = client.post("/v1/similar", json={"seeds": [{"track_id": "t07"}], "k": 5})
    assert answer.status_code == 200, answer.text
    expected = served.library.similar("t07", 5).neighbors
    assert [n["track_id"] for n in answer.json()["neighbors"]] == [n.track_id for n in expected]
