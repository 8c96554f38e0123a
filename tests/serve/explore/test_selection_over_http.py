"""`/v1/map/selection`: what the library says, over HTTP."""

import numpy as np
import pytest

from audioae.explore.selection_files import as_csv, as_m3u8, track_ids
from audioae.library.filters import Filters
from tests.explore.made_map import add_map
from tests.serve.serving import Server, catalog_store, in_thread

POLYGON = [[-1, -1], [8, -1], [8, 2.5], [-1, 2.5]]
CHOSEN = {
    "a polygon": ({"polygon": POLYGON}, {"polygon": POLYGON}),
    "rows": ({"rows": [3, 9, 4, 20, 30]}, {"rows": [3, 9, 4, 20, 30]}),
    "filters": ({"filters": {"label": "style 0"}}, {"filters": Filters(label=["style 0"])}),
    "a polygon and filters": (
        {"polygon": POLYGON, "filters": {"year": {"gte": 1990}}},
        {"polygon": POLYGON, "filters": Filters(year=(1990, None))},
    ),
    "nothing": ({"rows": []}, {"rows": []}),
    "no match": ({"filters": {"year": {"lte": 1800}}}, {"filters": Filters(year=(None, 1800))}),
}


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory):
    store = catalog_store(tmp_path_factory.mktemp("mapped"))
    add_map(store)
    with in_thread(store) as server:
        yield server


@pytest.mark.parametrize("case", CHOSEN)
def test_answers_are_those_of_the_library(mapped: Server, case: str):
    body, chosen = CHOSEN[case]
    selected = mapped.library.map().select(**chosen)
    with mapped.client() as client:
        got = client.post("/v1/map/selection", json=body).json()
        files = {kind: client.post(f"/v1/map/selection:{kind}", json=body) for kind in ("csv", "m3u8", "rows", "ids")}
    assert (got["n"], got["sampled"]) == (len(selected), len(selected))
    for name in ("label", "artist", "region"):
        assert got[f"{name}s"] == [share._asdict() for share in selected.shares(name)]
    assert (got["typical"], got["odd"]) == (selected.typical.rows, selected.odd.rows)
    assert got["scores"]["typical"] == pytest.approx(selected.typical.scores, abs=1e-6)
    assert got["features"] == [vars(feature) for feature in selected.features]
    assert got["suggestion"] == (selected.suggestion and selected.suggestion._asdict())
    assert files["csv"].content == as_csv(selected)
    assert files["m3u8"].content == as_m3u8(selected, "Selection")
    assert np.frombuffer(files["rows"].content, "<u4").tolist() == selected.rows.tolist()
    assert files["ids"].json()["track_ids"] == track_ids(selected)


def test_files_are_downloads(mapped: Server):
    with mapped.client() as client:
        answers = [client.post(f"/v1/map/selection:{kind}", json={"rows": [1]}) for kind in ("csv", "m3u8", "rows")]
    assert [answer.headers["content-type"] for answer in answers] == [
        "text/csv; charset=utf-8",
        "audio/x-mpegurl",
        "application/octet-stream",
    ]
    assert [answer.headers.get("content-disposition") for answer in answers] == [
        'attachment; filename="selection.csv"',
        'attachment; filename="selection.m3u8"',
        None,
    ]


def test_a_selection_is_a_filter_of_other_requests(mapped: Server):
    with mapped.client() as client:
        ids = client.post("/v1/map/selection:ids", json={"polygon": POLYGON}).json()["track_ids"]
        body = {"seeds": [{"track_id": ids[0]}], "k": 50, "filters": {"allow_ids": ids}, "keep_duplicates": True}
        found = client.post("/v1/similar", json=body).json()["neighbors"]
    assert {neighbor["track_id"] for neighbor in found} <= set(ids)
    assert len(found) >= len(ids) - 3


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "wanted a polygon, rows or filters"),
        ({"polygon": POLYGON, "rows": [1]}, "wanted one of polygon and rows"),
        ({"polygon": POLYGON[:2]}, "at least 3 items"),
        ({"polygon": [[0, 0]] * 2001}, "at most 2000 items"),
        ({"polygon": [[0, 0, 0]] * 3}, "at most 2 items"),
        ({"polygon": [[0, 0], [1, 1], [1e300, 0]]}, "polygon: got a vertex beyond"),
        ({"rows": [0] * 100_001}, "at most 100000 items"),
        ({"rows": [55]}, "rows: got 55, wanted 0 to 54"),
        ({"filters": {"label": "polka"}}, "no track has the label 'polka'"),
    ],
)
@pytest.mark.parametrize("form", ["", ":csv", ":rows"])
def test_faults_are_problems(mapped: Server, body: dict, sentence: str, form: str):
    with mapped.client() as client:
        answer = client.post(f"/v1/map/selection{form}", json=body)
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]
