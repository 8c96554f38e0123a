"""`POST /v1/recommend`: the library's recommendations over HTTP."""

import re
import sys

import pytest

from audioae.library.filters import Filters
from audioae.recommend.answer import Play
from tests.serve.serving import Server

PLAYED = ["t02", "t04", "t06", "t13"]


def ask(served: Server, **body):
    with served.client() as client:
        return client.post("/v1/recommend", json={"plays": [{"track_id": one} for one in PLAYED], **body})


def plain(record) -> dict:
    return {name: [plain(one) for one in value] if name == "because" else value for name, value in dict(record).items()}


@pytest.mark.parametrize("label", [None, "style 0"])
def test_is_the_answer_of_the_library(served: Server, label):
    filters = {"filters": {"label": label}} if label else {}
    got = ask(served, k=7, **filters).json()
    want = served.library.recommend([Play(one) for one in PLAYED], 7, filters=Filters(label=[label] if label else ()))
    assert (got["index"], got["model"]) == (str(served.library.index_ref), str(served.library.model_ref))
    assert [row["track_id"] for row in got["recommendations"]] == [row.track_id for row in want.recommendations]
    assert got["recommendations"] == [plain(row) for row in want.recommendations]
    assert got["tastes"] == [dict(taste) for taste in want.tastes]
    assert (got["n_new"], got["unknown_plays"], got["short"]) == (want.n_new, 0, None)
    assert not {row["track_id"] for row in got["recommendations"]} & set(PLAYED)
    assert not label or {row["label"] for row in got["recommendations"]} == {label}


def test_weights_times_and_unknown_plays(served: Server):
    plays = [
        {"track_id": "t02", "weight": 9, "played_at": "2026-11-01T10:00:00Z"},
        {"track_id": "t05", "weight": 2, "played_at": "2026-10-01T10:00:00+02:00"},
        {"track_id": "nothing", "played_at": "2025-01-01T00:00:00Z"},
        {"alias": {"namespace": "none", "id": "1"}, "played_at": "2025-01-01T00:00:00Z"},
        {"track_id": "t57", "played_at": "2025-01-01T00:00:00Z"},
    ]
    got = ask(served, plays=plays, k=3).json()
    assert got["unknown_plays"] == 3
    assert len(got["recommendations"]) == 3
    assert got["recommendations"][0]["because"][0]["track_id"] in ("t02", "t05")


def test_fewer_than_wanted_says_why(served: Server):
    got = ask(served, k=1000).json()
    assert got["short"] == f"{got['n_new']} instead of 1000: {got['n_new']} recordings are not played yet"
    assert len(got["recommendations"]) == got["n_new"]
    got = ask(served, filters={"year": {"gte": 3000}}).json()
    assert (got["recommendations"], got["n_new"]) == ([], 0)
    assert got["short"].startswith("no track of 60 passes all filters")
    assert got["tastes"]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"plays": []}, 422, "at least 1 item"),
        ({"plays": [{"track_id": "nothing"}]}, 422, "none of the 1 plays is of a track with an embedding"),
        ({"plays": [{"track_id": "t01", "weight": 0}]}, 422, "greater than 0"),
        ({"plays": [{"track_id": "t01", "played_at": "2026-01-01"}, {"track_id": "t02"}]}, 422, "1 of 2 plays have no"),
        ({"plays": [{"track_id": "t01"}] * 10_001}, 422, "at most 10000 items"),
        ({"k": 0}, 422, "greater than or equal to 1"),
        ({"audience": "t01"}, 422, "not permitted"),
        ({"filters": {"label": "Polka"}}, 422, "no track has the label 'Polka'"),
    ],
)
def test_what_cannot_be_answered_is_a_problem(served: Server, body, status, sentence):
    answer = ask(served, **body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert re.search(sentence, answer.json()["detail"]), answer.text


def test_without_scipy_it_names_the_extra(served: Server, serve, monkeypatch):
    fresh = serve(served.store)
    for name in [name for name in sys.modules if name.startswith(("audioae.recommend.", "scipy"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    answer = ask(fresh)
    assert answer.status_code == 501, answer.text
    assert "audioae[pipeline]" in answer.json()["detail"]
