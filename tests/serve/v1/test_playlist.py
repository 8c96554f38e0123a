"""`POST /v1/playlist`: the library's playlists over HTTP, as JSON, M3U8 and CSV."""

import csv
import io
import re

import pytest

from audioae.playlists.options import PlaylistOptions
from tests.serve.serving import Server

ENDS = [{"track_id": "t01"}, {"track_id": "t08"}]


def ask(served: Server, headers: dict[str, str] | None = None, **body):
    with served.client() as client:
        return client.post("/v1/playlist", json={"waypoints": ENDS, **body}, headers=headers)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({}, PlaylistOptions(n=25)),
        ({"n": 9, "seed": 5, "path": "linear", "max_per_artist": None}, None),
        ({"duration_s": 1500, "tolerance_s": 60, "artist_window": 2}, None),
        ({"n": 6, "energy": {"monotone": True, "max_step": 40}}, None),
    ],
)
def test_is_the_playlist_of_the_library(served: Server, body, options):
    answer = ask(served, **body)
    assert answer.status_code == 200, answer.text
    got, want = answer.json(), served.library.playlist(["t01", "t08"], options or PlaylistOptions(**body)).document
    assert got["index"] == str(served.library.index_ref)
    assert got["model"] == str(served.library.model_ref)
    for name in ("name", "n", "duration_s", "gave_way", "notes", "options", "embeddings"):
        assert got[name] == want[name], name
    assert got["smoothness"] == want["smoothness"]
    wanted = [{name: value for name, value in entry.items() if name != "address"} for entry in want["entries"]]
    assert got["entries"] == wanted
    assert [entry["track_id"] for entry in got["entries"]][:: got["n"] - 1] == ["t01", "t08"]


def test_filters_limit_what_is_picked(served: Server):
    entries = ask(served, n=8, filters={"label": "style 0"}).json()["entries"]
    assert {entry["label"] for entry in entries[1:-1]} == {"style 0"}


def test_other_forms(served: Server):
    answer = ask(served, {"Accept": "audio/x-mpegurl"}, n=4)
    assert answer.headers["content-type"].startswith("audio/x-mpegurl")
    lines = answer.text.splitlines()
    assert lines[:2] == ["#EXTM3U", "#PLAYLIST:Title 1 to Title 8"]
    assert lines[3] == "/music/t01.mp3"
    rows = list(csv.DictReader(io.StringIO(ask(served, {"Accept": "text/csv"}, n=4).text)))
    assert [row["track_id"] for row in rows] == [e["track_id"] for e in ask(served, n=4).json()["entries"]]


@pytest.mark.parametrize(
    ("body", "status", "where", "sentence"),
    [
        ({"waypoints": [{"track_id": "t01"}, {"track_id": "t99"}]}, 404, None, "no track_id 't99'"),
        ({"waypoints": [{"track_id": "t01"}, {"track_id": "Title 8"}]}, 404, None, "no track_id 'Title 8'"),
        ({"waypoints": [{"track_id": "t01"}, {"alias": {"namespace": "x", "id": "1"}}]}, 404, None, "no namespace 'x'"),
        ({"waypoints": [{"track_id": "t01"}, {}]}, 422, "waypoints.1", "exactly one of track_id and alias"),
        ({"waypoints": [{"track_id": "t01"}]}, 422, "waypoints", "at least 2 items"),
        ({"waypoints": ["t01", "t08"]}, 422, "waypoints.0", "should be an object"),
        ({"waypoints": [{"track_id": "t01"}, {"track_id": "t57"}]}, 422, None, "t57 .* has no embedding"),
        ({"n": 1}, 422, "n", "greater than or equal to 2"),
        ({"n": 5, "duration_s": 100}, 422, None, "one of n and duration_s"),
        ({"seamless": 1}, 422, None, "seamless: needs the first and last clips"),
        ({"tempo": {"monotone": True}}, 422, None, "the waypoints t01, t08 have none"),
        ({"decode": True}, 422, "decode", "not permitted"),
        ({"filters": {"label": "Polka"}}, 422, None, "no track has the label 'Polka'"),
        ({"n": 500}, 422, None, "n=500: only .* different tracks are left"),
    ],
)
def test_what_cannot_be_made_is_a_problem(served: Server, body, status, where, sentence):
    answer = ask(served, **body)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert re.search(sentence, problem["detail"]), problem
    if where is not None:
        assert problem["where"] == where
