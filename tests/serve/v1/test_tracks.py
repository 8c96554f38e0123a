"""`GET /v1/tracks`: a track and its state; search by words, in pages."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.serve.serving import N, Server


def get(served: Server, path: str, **parameters):
    with served.client() as client:
        return client.get(f"/v1/tracks{path}", params=parameters)


@pytest.mark.parametrize(
    ("track_id", "state"),
    [
        ("t00", {"state": "embedded", "indexed": True, "copy_of": None, "reason": None}),
        ("t30", {"state": "embedded", "indexed": True, "copy_of": "t03"}),
        ("t50", {"state": "duplicate", "indexed": True, "duplicate_of": "t05"}),
        ("t57", {"state": "rejected", "indexed": False, "reason": "silent", "detail": "peak -inf dBFS"}),
        ("t59", {"state": "pending", "indexed": False, "reason": None, "retry_at": None}),
    ],
)
def test_a_track_and_its_state(served: Server, track_id, state):
    got = get(served, f"/{track_id}").json()
    assert {name: got[name] for name in state} == state
    assert (got["track_id"], got["uri"]) == (track_id, f"/music/{track_id}.mp3")
    assert (got["index"], got["aliases"]) == (str(served.library.index_ref), {})
    added = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=int(track_id[1:]))
    assert got["added_at"] == f"{added:%Y-%m-%dT00:00:00Z}"
    assert "path_bytes" not in got


def test_an_unknown_track_is_not_found(served: Server):
    answer = get(served, "/Title 3")
    assert answer.status_code == 404
    assert "no track_id 'Title 3'" in answer.json()["detail"]


def test_search_in_pages(served: Server):
    whole = get(served, "", query="title 5", limit=100).json()
    assert [track["track_id"] for track in whole["tracks"]] == ["t05", *(f"t{i}" for i in range(50, 60))]
    assert whole["total"] == 11
    parts = [get(served, "", query="title 5", limit=4, offset=offset).json() for offset in (0, 4, 8, 12)]
    assert [part["offset"] for part in parts] == [0, 4, 8, 12]
    assert [track for part in parts for track in part["tracks"]] == whole["tracks"]
    assert whole["tracks"] == [dict(track) for track in served.library.search_tracks("TITLE 5", 100).tracks]
    assert get(served, "", limit=1).json()["total"] == N


@pytest.mark.parametrize("parameters", [{"limit": 0}, {"limit": 101}, {"offset": -1}, {"offset": "x"}])
def test_a_wrong_page_is_a_problem(served: Server, parameters):
    answer = get(served, "", query="x", **parameters)
    assert (answer.status_code, answer.json()["where"]) == (422, next(iter(parameters)))
