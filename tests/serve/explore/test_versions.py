"""`/v1/versions`: the list, a comparison in numbers and per row, and the places of another version."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from audioae.evaluation.compare_versions import compare_versions
from audioae.serve.explore import versions
from tests.evaluation.versions import commit_map, retrain, styled_store, unit
from tests.serve.serving import in_thread

N, LEFT_OUT = 60, 3


class Compared:
    """A server over a store with two indexes; the second has a map and one track less."""

    def __init__(self, server, old: str, new: str):
        self.server, self.old, self.new = server, old, new

    def get(self, path: str, **parameters):
        with self.server.client() as client:
            headers = parameters.pop("headers", {})
            return client.get(f"/v1/versions{path}", params=parameters, headers=headers)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory):
    store, _ = styled_store(tmp_path_factory.mktemp("versions") / "store", N)
    old = str(store.require("index"))
    retrain(store, lambda v: unit(v + 0.08 * np.random.default_rng(2).standard_normal(v.shape)), leave_out=[LEFT_OUT])
    styles = np.delete(np.arange(N) % 4, LEFT_OUT)
    commit_map(
        store, np.random.default_rng(3).random((N - 1, 2)), styles.tolist(), {i: f"region {i}" for i in range(4)}
    )
    with in_thread(store) as server:
        yield Compared(server, old, str(store.require("index")))


def test_versions_are_listed_newest_first(compared):
    rows = compared.get("").json()["versions"]
    assert [row["ref"] for row in rows[:2]] == [compared.new, compared.old]
    assert [(row["served"], row["points"], row["tracks"]) for row in rows[:2]] == [
        (True, "map", N - 1),
        (False, "neighbors", N),
    ]
    assert rows[0]["published"] > rows[1]["published"]


def close(value):
    """Equal but for the last digit of its numbers: another number of threads adds in another order."""
    if isinstance(value, dict):
        return {name: close(one) for name, one in value.items()}
    if isinstance(value, list):
        return [close(one) for one in value]
    return pytest.approx(value, abs=5e-6) if isinstance(value, float) else value


def test_a_comparison_is_that_of_the_library(compared):
    store = compared.server.store
    document = compared.get("/compare", a=compared.old, b=compared.new).json()
    refs = compared.server.library.index_ref, compared.server.library.embeddings_ref
    assert compared.new == str(refs[0])
    wanted = compare_versions(store, versions.DatasetRef.parse(compared.old), refs[0], top=50).document
    assert {name: document[name] for name in wanted} == close(wanted)
    assert {row["name"] for row in document["regions"]} == {f"region {i}" for i in range(4)}
    assert document["shared"] == N - 1


def test_the_served_index_is_the_default(compared):
    explicit = compared.get("/compare", a=compared.old, b=compared.new).json()
    assert compared.get("/compare", a=compared.old).json() == explicit


def test_overlap_is_in_the_rows_of_the_map(compared):
    store, library = compared.server.store, compared.server.library
    answer = compared.get("/compare/overlap", a=compared.old)
    values = np.frombuffer(answer.content, "<f4")
    result = compare_versions(store, versions.DatasetRef.parse(compared.old), library.index_ref)
    rows = library.map().rows_of(result.track_ids.to_pylist())
    assert len(values) == len(library.map()) == N - 1
    assert values[rows] == pytest.approx(result.overlap)
    again = compared.get("/compare/overlap", a=compared.old, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_points_of_the_served_index_are_those_of_the_map(compared):
    points = np.frombuffer(compared.get("/points", index=compared.new).content, "<f4").reshape(-1, 2)
    assert points == pytest.approx(compared.server.library.map().points, abs=1e-4)


def test_points_of_a_version_without_a_map_are_among_neighbors(compared):
    answer = compared.get("/points", index=compared.old)
    points = np.frombuffer(answer.content, "<f4").reshape(-1, 2)
    assert len(points) == N - 1
    assert np.isfinite(points).all()
    assert not np.allclose(points, compared.server.library.map().points)


def test_requests_at_the_same_time_compute_once(compared, monkeypatch):
    calls = []
    original = versions.compare_versions

    def counted(*arguments, **options):
        calls.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(versions, "compare_versions", counted)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: compared.get("/compare", a=compared.new, b=compared.old).json(), range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert len(calls) == 1


def test_a_failed_comparison_is_tried_again(compared, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("once")

    embeddings = str(compared.server.library.embeddings_ref)
    with monkeypatch.context() as patch:
        patch.setattr(versions, "compare_versions", broken)
        assert compared.get("/compare", a=embeddings).status_code == 500
    assert compared.get("/compare", a=embeddings).status_code == 200


@pytest.mark.parametrize(
    ("path", "parameters", "status", "kind"),
    [
        ("/compare", {"a": "index@0000"}, 404, "unknown-version"),
        ("/points", {"index": "embeddings@0000"}, 404, "unknown-version"),
        ("/compare", {"a": "index@../../etc"}, 422, "invalid-request"),
        ("/compare", {"a": "tracks@0000"}, 422, "invalid-request"),
        ("/compare", {"a": "index@" + 80 * "é"}, 422, "invalid-request"),  # too long for the name of a file
        ("/compare", {"a": "index@" + 80 * "e"}, 404, "unknown-version"),
        ("/compare", {}, 422, "invalid-request"),
    ],
)
def test_what_cannot_be_compared_is_a_problem(compared, path, parameters, status, kind):
    answer = compared.get(path, **parameters)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:audioae:{kind}")


def test_another_map_is_a_conflict(compared):
    answer = compared.get("/compare/overlap", a=compared.old, headers={"X-Map-Version": "0000"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:audioae:map-changed")


def test_without_a_map_there_are_no_rows(tmp_path):
    store, embeddings = styled_store(tmp_path / "store", N)
    with in_thread(store) as server, server.client() as client:
        assert client.get("/v1/versions/compare", params={"a": str(embeddings)}).status_code == 200
        answer = client.get("/v1/versions/compare/overlap", params={"a": str(embeddings)})
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:audioae:not-mapped")
