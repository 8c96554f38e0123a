"""What the plugins send, request by request, and what they read of the answers.

Source, all read in their repositories:
- AudioMuse-AI-NV-plugin at 1f093033 (Navidrome): `main.go`, `audiomuse_api.go`. GET with `Authorization: Bearer`; any
  status but 200 is an error. Reads item_id, title, author, album, distance (a number; the similarity is 1 - distance,
  clamped to [0, 1]); `path`; artist, artist_id and component_matches[].artist{1,2}_representative_songs[], of which
  item_id and title.
- audiomuse-ai-plugin at 223cbf2c (Jellyfin): `AudioMuseService.cs`, `InstantMixController.cs`. Reads item_id, which
  must be a GUID; sends it as 32 hex digits; passes other answers on. Tests its connection with /api/active_tasks.
- lyrion-audiomuseai-plugin at 69fb02a5 and lms-audiomuse-mixer at b6e70ebe (Lyrion): `API.pm`. `Accept:
  application/json`; an object with a non-empty `error` is an error also with status 200.
"""

from typing import Any

import httpx
import numpy as np
import pytest

from tests.serve.conftest import READ_KEY
from tests.serve.serving import Server


def get(server: Server, url: str, key: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    response = httpx.get(server.url + url, headers=headers, timeout=60)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    return response.json()


def described(server: Server, track_id: str) -> dict[str, str]:
    track = server.library.lookup.track(server.library.lookup.row_of(track_id))
    return {
        "item_id": track_id,
        "title": str(track.title),
        "author": str(track.artist),
        "album": track.album or "unknown",
    }


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def test_navidrome_asks_for_similar_tracks(locked: Server):
    url = "/api/similar_tracks?eliminate_duplicates=true&item_id=t03&n=12&radius_similarity=true"
    found = get(locked, url, READ_KEY)
    wanted = {n.track_id: n.score for n in locked.library.similar("t03", k=12).neighbors}  # 3 per artist at most
    assert {row["item_id"] for row in found} == set(wanted)
    assert found[0]["item_id"] == next(iter(wanted))
    for row in found:
        assert without(row, "distance") == described(locked, row["item_id"])
        assert row["distance"] == pytest.approx(1 - wanted[row["item_id"]], abs=1e-6)
        assert isinstance(row["distance"], float)
    straight = get(locked, url.replace("radius_similarity=true", "radius_similarity=false"), READ_KEY)
    assert [row["item_id"] for row in straight] == list(wanted)


def test_navidrome_asks_for_a_path(locked: Server):
    url = "/api/find_path?count=8&end_song_id=t07&max_steps=8&mood_pct=100&path_fix_size=false&start_song_id=t00"
    found = get(locked, url, READ_KEY)
    wanted = locked.library.sonic_path("t00", "t07", 8)
    assert found["path"] == [described(locked, track_id) for track_id in wanted.track_ids]
    assert found["total_distance"] == pytest.approx(wanted.length)


def test_navidrome_asks_for_similar_artists_and_their_songs(locked: Server):
    found = get(locked, "/api/similar_artists?artist=artist+3&include_component_matches=true&n=5", READ_KEY)
    wanted = locked.library.artists.similar("artist 3", 5)
    assert [row["artist"] for row in found] == [other.artist for other in wanted]
    assert [row["artist_id"] for row in found] == [None] * 5  # Go reads null as ""
    np.testing.assert_allclose([row["divergence"] for row in found], [1 - other.score for other in wanted], atol=1e-6)
    for row in found:
        (match,) = row["component_matches"]
        own = {song["item_id"] for song in match["artist1_representative_songs"]}
        assert own == {"t03", "t30", "t31"}  # its copies have the same artist in this catalog
        for song in match["artist2_representative_songs"]:
            assert without(without(described(locked, song["item_id"]), "album"), "author") == song
            assert described(locked, song["item_id"])["author"] == row["artist"]
    plain = get(locked, "/api/similar_artists?artist=artist+3&include_component_matches=false&n=5", READ_KEY)
    assert plain == [without(row, "component_matches") for row in found]


def test_jellyfin_asks_for_an_instant_mix(served: Server):
    found = get(served, "/api/similar_tracks?n=200&item_id=t03")
    assert {row["item_id"] for row in found} == {n.track_id for n in served.library.similar("t03", k=200).neighbors}
    title_and_artist = get(served, "/api/similar_tracks?n=5&title=Title%203&artist=artist%203")
    assert title_and_artist == get(served, "/api/similar_tracks?n=5&item_id=t03")
    assert get(served, "/api/similar_tracks?n=5&item_id=t03&eliminate_duplicates=false")


def test_jellyfin_tests_its_connection_and_its_other_questions(served: Server, locked: Server):
    assert get(served, "/api/active_tasks") == {}
    assert httpx.get(served.url + "/").status_code == 200
    assert httpx.get(locked.url + "/api/active_tasks").status_code == 401, "a wrong token is seen by the test"
    assert get(served, "/api/similar_artists?n=3&artist_id=artist%203&ef_search=64&include_component_matches=true")
    assert len(get(served, "/api/find_path?start_song_id=t00&end_song_id=t07")["path"]) == 25
    farthest = get(served, "/api/max_distance?item_id=t03")
    own = served.library.embedding_of(served.library.find("t03"))
    ids = [f"t{i:02d}" for i in range(57)]
    distances = {i: 1 - float(own @ served.library.embedding_of(served.library.find(i))) for i in ids}
    assert farthest["max_distance"] == pytest.approx(max(distances.values()), abs=1e-6)
    assert farthest["farthest_item_id"] == max(distances, key=lambda i: distances[i])


def test_lyrion_asks(served: Server):
    assert get(served, "/api/health") == {"status": "ok"}
    found = get(served, "/api/similar_tracks?item_id=t03&n=20&eliminate_duplicates=true")
    assert len(found) == 20
    mixed = "/api/similar_tracks?item_id=t03&n=20&eliminate_duplicates=true&radius_similarity=true&mood_similarity=true"
    assert get(served, mixed) == found, "there is no model of moods, and both are in the order of a walk"
    path = get(served, "/api/find_path?start_song_id=t00&end_song_id=t07&max_steps=10")["path"]
    assert (path[0]["item_id"], path[-1]["item_id"], len(path)) == ("t00", "t07", 10)
    songs = get(served, "/api/search_tracks?artist=artist%2012")
    assert songs == [described(served, "t12")]
