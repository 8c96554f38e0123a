"""AudioMuse-AI's shape beyond what plugins send: errors, search, limits, and random requests."""

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audioae.serve.audiomuse.endpoints import ENDPOINTS
from tests.serve.audiomuse.test_plugins import described, get
from tests.serve.serving import Server


@pytest.mark.parametrize(
    ("url", "status", "message"),
    [
        ("similar_tracks", 400, "must include either 'item_id' or both 'title' and 'artist'"),
        ("similar_tracks?title=Title 3", 400, "must include either"),
        ("similar_tracks?item_id=nobody", 404, "no track_id 'nobody'"),
        ("similar_tracks?item_id=/etc/passwd", 404, "no track_id '/etc/passwd'"),
        ("similar_tracks?item_id=Title 3", 404, "no track_id 'Title 3'"),
        ("similar_tracks?title=Title 3&artist=artist 4", 404, "no track 'Title 3' by 'artist 4'"),
        ("similar_tracks?item_id=t57", 404, "has no embedding; silent"),
        ("similar_tracks?item_id=t03&n=ten", 400, "n: got 'ten', wanted a whole number"),
        ("similar_tracks?item_id=t03&mood=happy&centroid_index=0", 400, "mood: is not supported"),
        ("similar_tracks?item_id=t03&anchor_id=1", 400, "anchor_id: is not supported"),
        ("similar_tracks?item_id=t03&server=other", 400, "server: got 'other'"),
        (f"similar_tracks?item_id={'x' * 1001}", 400, "item_id: got 1,001 characters"),
        ("find_path?end_song_id=t00", 400, "Missing 'start_song_id' parameter"),
        ("find_path?start_song_id=t00", 400, "Missing 'end_song_id' parameter"),
        ("find_path?start_song_id=t00&end_song_id=t00", 400, "cannot be the same"),
        ("find_path?start_song_id=t00&end_song_id=t59", 404, "has no embedding"),
        ("find_path?start_song_id=t00&end_song_id=t07&path_space=lyrics", 400, "path_space: wanted audio"),
        ("find_path?start_mood=happy&end_song_id=t07", 400, "start_mood: is not supported"),
        ("find_path?start_song_id=t00&end_anchor=2", 400, "end_anchor: is not supported"),
        (
            "find_path?start_song_id=t00&end_song_id=t07&max_steps=500&path_fix_size=true",
            404,
            "different tracks are left",
        ),
        ("search_tracks?search_query=x&index=sem_grove", 400, "index: is not supported"),
        ("similar_artists", 400, "Missing 'artist' or 'artist_id' parameter"),
        ("similar_artists?artist=Nobody", 404, "no artist 'Nobody'"),
        ("max_distance", 400, "Missing 'item_id' parameter"),
        ("max_distance?item_id=nobody", 404, "no track_id 'nobody'"),
    ],
)
def test_errors_are_objects_with_an_error(served: Server, url: str, status: int, message: str):
    response = httpx.get(f"{served.url}/api/{url}", timeout=60)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert message in response.json()["error"]


def test_without_a_key_no_question_is_answered(locked: Server):
    for name in ENDPOINTS:
        assert httpx.get(f"{locked.url}/api/{name}").status_code == 401


def test_numbers_beyond_the_limits_are_the_limits(served: Server):
    for n, length in ((0, 1), (-5, 1), (10**8, len(served.library.similar("t03", k=1000).neighbors))):
        assert len(get(served, f"/api/similar_tracks?item_id=t03&n={n}&eliminate_duplicates=false")) == length
    assert len(get(served, "/api/find_path?start_song_id=t00&end_song_id=t07&max_steps=1")["path"]) == 2
    path = get(served, "/api/find_path?start_song_id=t00&end_song_id=t07&max_steps=500")["path"]
    assert len(path) == len({*served.library.alignment.group.tolist()}), "at most"


def test_search(served: Server):
    def ids(query: str) -> list[str]:
        return [row["item_id"] for row in get(served, f"/api/search_tracks?{query}")]

    assert get(served, "/api/search_tracks?search_query=Title 12") == [described(served, "t12")]
    assert ids("search_query=artist 12 title") == ["t12"]
    assert ids("title=Title 12&artist=ARTIST 12") == ["t12"]
    assert ids("title=Title 12&artist=artist 13") == []
    assert ids("search_query=") == ids("") == []
    every = ids("search_query=title&start=0&end=500")
    assert sorted(every) == [f"t{i:02d}" for i in range(60)]
    assert ids("search_query=title") == every[:20]
    assert ids("search_query=title&start=20&end=23") == every[20:23]
    assert ids("search_query=title&start=5&end=5") == []


def test_eliminate_duplicates_is_three_tracks_per_artist(serve, tmp_path):
    from tests.stores import made_store

    server = serve(made_store(tmp_path / "store", 30, columns={"artist": [f"artist {i % 3}" for i in range(30)]}))
    for value, most in (("", 3), ("&eliminate_duplicates=true", 3), ("&eliminate_duplicates=false", 10)):
        authors = [row["author"] for row in get(server, f"/api/similar_tracks?item_id=t00&n=29{value}")]
        assert max(authors.count(author) for author in set(authors)) == most
        assert len(authors) == (9 if most == 3 else 29)


NAMES = st.sampled_from(
    ["item_id", "title", "artist", "artist_id", "n", "start", "end", "search_query", "start_song_id", "end_song_id"]
) | st.sampled_from(
    ["max_steps", "radius_similarity", "eliminate_duplicates", "path_fix_size", "include_component_matches", "server"]
)
VALUES = st.sampled_from(["t03", "t07", "t59", "artist 3", "true", "0", "12", "-1"]) | st.text(max_size=20)


@given(endpoint=st.sampled_from(sorted(ENDPOINTS)), query=st.dictionaries(NAMES, VALUES, max_size=5))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_is_an_error_of_the_server(served: Server, endpoint: str, query: dict[str, str]):
    response = httpx.get(f"{served.url}/api/{endpoint}", params=query, timeout=60)
    assert response.status_code in (200, 400, 404), response.text
