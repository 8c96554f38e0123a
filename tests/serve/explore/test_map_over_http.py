"""`/v1/map`: what a page needs to draw the map, over HTTP."""

import numpy as np
import pytest

from audioae.library.filters import Filters
from audioae.pipeline.index import build_index
from audioae.search.factory import IndexConfig
from tests.explore.made_map import add_findings, add_map
from tests.serve.conftest import ADMIN_KEY, KEYS, READ_KEY
from tests.serve.serving import Server, catalog_store, in_thread
from tests.stores import made_store

HOSTILE = '</script><img src=x onerror=alert(1)>"\\\u2028'


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory):
    store = catalog_store(tmp_path_factory.mktemp("mapped"))
    add_map(store)
    add_findings(store, [("t03", "corrupt", 0.1, True)])
    with in_thread(store) as server:
        yield server


def test_the_map_says_what_it_has(mapped: Server):
    with mapped.client() as client:
        got = client.get("/v1/map").json()
    opened = mapped.library.map()
    assert (got["index"], got["map"], got["version"], got["n"]) == (
        str(mapped.library.index_ref),
        str(opened.ref),
        opened.version,
        55,
    )
    assert (got["bounds"], got["outdated"]) == ([0, 0, 7, 6], None)
    assert [(region["region"], region["name"], region["n"]) for region in got["regions"]] == [
        (0, "high land", 36),
        (4, "low <b>land</b>", 18),
    ]
    assert [column["name"] for column in got["columns"]] == list(opened.columns.present)
    assert got["columns"][0] == {"name": "label", "title": "Label", "kind": "category", "unit": ""}
    assert got["two_dimensional_vae"] is False
    assert got["audio"] in ("clips", "files", "none")


def test_points_and_columns_are_bytes_in_the_order_of_the_rows(mapped: Server):
    opened = mapped.library.map()
    with mapped.client() as client:
        answer = client.get("/v1/map/points")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert np.frombuffer(answer.content, "<f4").reshape(-1, 2).tolist() == opened.points.tolist()
        for name, column in opened.columns.present.items():
            if name == "code":
                continue  # the model has no weights
            content = client.get(f"/v1/map/columns/{name}").content
            kind = "<u2" if column.kind == "category" else "<f4"
            np.testing.assert_array_equal(np.frombuffer(content, kind), opened.columns.values(name))
            legend = client.get(f"/v1/map/columns/{name}/legend").json()
            assert {key: legend[key] for key in legend if key not in ("index", "model")} == opened.columns.legend(name)


def test_what_a_client_has_is_not_sent_again(mapped: Server):
    with mapped.client() as client:
        for path in ("/v1/map/points", "/v1/map/columns/label", "/v1/map/columns/finding"):
            first = client.get(path)
            assert first.headers["cache-control"] == "private, no-cache"
            tag = first.headers["etag"]
            for known in (tag, f'"x", W/{tag}', "*"):
                again = client.get(path, headers={"If-None-Match": known})
                assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            assert client.get(path, headers={"If-None-Match": '"x"'}).status_code == 200
        tags = {client.get(f"/v1/map/{path}").headers["etag"] for path in ("points", "columns/label", "columns/year")}
        assert len(tags) == 3


def test_rows_and_track_ids_name_tracks(mapped: Server):
    opened = mapped.library.map()
    with mapped.client() as client:
        got = client.post("/v1/map/rows", json={"rows": [5, 99, 0]}).json()
        assert got["rows"] == opened.tracks([5, 99, 0])
        assert got["rows"][1] is None
        by_id = client.post("/v1/map/rows", json={"track_ids": ["t50", "t57", "t03"]}).json()["rows"]
    assert [row and row["track_id"] for row in by_id] == ["t05", None, "t03"]
    assert by_id[2]["finding"] == "corrupt"


def test_masks_are_bits(mapped: Server):
    with mapped.client() as client:
        answer = client.post("/v1/map/mask", json={"label": "style 1", "year": {"gte": 1990}})
        nothing = client.post("/v1/map/mask", json={"year": {"lte": 1800}})
        everything = client.post("/v1/map/mask", json={})
    wanted = mapped.library.map().mask(Filters(label=["style 1"], year=(1990, None)))
    assert len(answer.content) == 7
    bits = np.unpackbits(np.frombuffer(answer.content, np.uint8), bitorder="little")
    assert bits[:55].astype(bool).tolist() == wanted.tolist()
    assert nothing.content == bytes(7)
    assert everything.content == b"\xff" * 6 + b"\x7f"


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("rows", {}, 422, "wanted exactly one of rows and track_ids"),
        ("rows", {"rows": [1], "track_ids": ["t01"]}, 422, "wanted exactly one of rows and track_ids"),
        ("rows", {"rows": [0] * 1001}, 422, "at most 1000 items"),
        ("rows", {"rows": [-1]}, 422, "greater than or equal to 0"),
        ("mask", {"label": "polka"}, 422, "no track has the label 'polka'"),
        ("mask", {"lable": "x"}, 422, "Extra inputs are not permitted"),
    ],
)
def test_faults_are_problems(mapped: Server, path: str, body: dict, status: int, sentence: str):
    with mapped.client() as client:
        answer = client.post(f"/v1/map/{path}", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert sentence in answer.json()["detail"]


def test_an_unknown_column_is_not_found(mapped: Server):
    with mapped.client() as client:
        for path in ("/v1/map/columns/mood", "/v1/map/columns/mood/legend"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["detail"]) == (404, "the map has no column 'mood'")
            assert answer.json()["action"].startswith("take one of: label, artist")


def test_a_store_without_a_map_says_how_to_make_one(served: Server):
    with served.client() as client:
        answers = [client.get(f"/v1/map{path}") for path in ("", "/points", "/columns/label", "/columns/label/legend")]
        answers += [client.post(f"/v1/map/{path}", json={"rows": [1]}) for path in ("rows", "selection")]
        answers += [client.post("/v1/map/mask", json={})]
    for answer in answers:
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:audioae:not-mapped"
        assert answer.json()["action"] == "run `audioae run map CONFIG`"


def test_a_key_is_wanted_where_the_server_wants_one(locked: Server):
    with locked.client() as client:
        assert client.get("/v1/map").status_code == 401
    with locked.client(READ_KEY) as client:
        assert client.get("/v1/map").json()["type"] == "urn:audioae:not-mapped"


def test_rows_of_another_map_are_refused(tmp_path):
    store = catalog_store(tmp_path)
    add_map(store)
    with in_thread(store) as server, server.client() as client:
        known = client.get("/v1/map").json()["version"]
        sent = {"X-Map-Version": known}
        assert client.post("/v1/map/rows", json={"rows": [1]}, headers=sent).status_code == 200
        add_map(store, seed=1)
        newer = client.get("/v1/map").json()
        assert newer["version"] != known
        answers = [
            client.get("/v1/map/points", headers=sent),
            client.get("/v1/map/columns/label", headers=sent),
            client.post("/v1/map/rows", json={"rows": [1]}, headers=sent),
            client.post("/v1/map/selection", json={"rows": [1]}, headers=sent),
        ]
        for answer in answers:
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:audioae:map-changed")
            assert (answer.json()["where"], answer.json()["action"]) == ("X-Map-Version", "load the map again")
        points = client.get("/v1/map/points", headers={"X-Map-Version": newer["version"]})
        assert np.frombuffer(points.content, "<f4")[::2].min() == 10


def test_a_reload_serves_the_map_of_the_new_index(tmp_path):
    store = catalog_store(tmp_path)
    first = add_map(store)
    with in_thread(store, keys=KEYS) as server, server.client(ADMIN_KEY) as client:
        before = client.get("/v1/map").json()
        build_index(store, IndexConfig(factory="HNSW32"), server.library.embeddings_ref)
        second = add_map(store, seed=2)
        assert client.get("/v1/map").json()["map"] == str(first)  # that of the index that is served
        assert client.post("/v1/index:reload", json={}).status_code == 200
        after = client.get("/v1/map").json()
    assert (before["map"], after["map"]) == (str(first), str(second))
    assert after["index"] == str(store.require("index")) != before["index"]
    assert after["outdated"] is None


def test_texts_of_tags_stay_texts(tmp_path):
    store = made_store(tmp_path, 12, columns={"label": [HOSTILE] * 12, "title": [HOSTILE] * 12})
    add_map(store)
    with in_thread(store) as server, server.client() as client:
        rows = client.post("/v1/map/rows", json={"rows": [0]})
        legend = client.get("/v1/map/columns/label/legend")
        selection = client.post("/v1/map/selection", json={"rows": [0, 1, 2, 3, 4]})
    assert rows.json()["rows"][0]["title"] == HOSTILE
    assert legend.json()["values"] == [{"code": 0, "value": HOSTILE, "n": 12}]
    assert selection.json()["labels"][0]["value"] == HOSTILE
    for answer in (rows, legend, selection):
        assert answer.headers["content-type"] == "application/json"


def test_codes_of_a_model_that_cannot_be_run_are_a_problem(mapped: Server):
    with mapped.client() as client:
        answer = client.get("/v1/map/columns/code")
        assert client.get("/v1/map/columns/label").status_code == 200
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
