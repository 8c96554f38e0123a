"""`GET /v1/findings`: an overview of the checks, and the worst of one in pages."""

import pytest

from audioae.pipeline.index import build_index
from audioae.screening.findings import open_findings
from audioae.search.factory import IndexConfig
from tests.screening.made import install_fake_check, screen
from tests.serve.serving import Server, catalog_store, in_thread


@pytest.fixture
def screened(tmp_path, monkeypatch):
    install_fake_check(monkeypatch)
    store = catalog_store(tmp_path)
    screen(store)
    with in_thread(store) as server:
        yield server


def get(server: Server, **parameters):
    with server.client() as client:
        return client.get("/v1/findings", params=parameters)


def test_overview_and_pages(screened: Server):
    got, opened = get(screened).json(), open_findings(screened.store)
    assert [row["check"] for row in got["checks"]] == ["corrupt", "duplicate"]
    assert (got["checks"][0]["screened"], got["checks"][0]["issues"], got["checks"][0]["cannot_tell"]) == (20, 10, 1)
    assert (got["findings"], got["screened"], got["outdated"]) == (str(opened.ref), got["index"], None)
    whole = get(screened, check="corrupt", limit=100).json()
    rows, _ = opened.worst("corrupt", 100)
    assert [row["track_id"] for row in whole["worst"]] == [row["track_id"] for row in rows]
    assert (whole["total"], whole["worst"][0]["tracks"], whole["worst"][-1]["score"]) == (len(rows), 3, None)
    assert [member["track_id"] for member in whole["worst"][0]["members"]] == ["t10", "t11", "t12"]
    assert whole["worst"][0]["why"] == "hum of 0 dB"
    parts = [get(screened, check="corrupt", limit=7, offset=offset).json()["worst"] for offset in (0, 7, 14)]
    assert [row for part in parts for row in part] == whole["worst"]
    issues = get(screened, check="corrupt", issues_only=True).json()
    assert (issues["total"], len(issues["worst"])) == (8, 8)


def test_says_that_findings_are_outdated(screened: Server):
    library = screened.library
    build_index(screened.store, IndexConfig(factory="HNSW32"), library.embeddings_ref)
    with in_thread(screened.store) as newer:
        got = get(newer).json()
    assert got["screened"] == str(library.index_ref) != got["index"]
    assert got["outdated"].startswith(f"these findings are about {library.index_ref}, this index is {got['index']}")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [({"check": "polka"}, "no findings of check 'polka'"), ({"limit": 101}, "less than or equal to 100")],
)
def test_what_cannot_be_listed_is_a_problem(screened: Server, parameters, sentence):
    answer = get(screened, **parameters)
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]


def test_a_store_that_was_never_screened(served: Server):
    answer = get(served)
    assert answer.status_code == 404
    assert (answer.json()["detail"], answer.json()["action"]) == (
        "the store has no findings yet",
        "run `audioae run screen CONFIG`",
    )
