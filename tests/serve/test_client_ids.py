"""Clients with IDs of their own: they ask by them, and get what they have, by them, in both foreign shapes."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from audioae.library.filters import Filters
from audioae.similarity.search import Options
from audioae.similarity.seeds import TrackSeed
from tests.library.test_aliases import import_rows
from tests.serve.opensubsonic.asking import code_of, in_json
from tests.serve.serving import Server, catalog_store, in_thread

KNOWN = [*(f"t{i:02d}" for i in range(0, 48, 3)), "t50", "t51", "t57"]  # t50 is t05, t51 is t10, t57 has no embedding
IDS = {track_id: f"nd-{track_id[1:]}-é" for track_id in KNOWN}
ARTISTS = {"artist-of-3": "t03", "artist-of-12": "t12"}


@pytest.fixture(scope="module")
def navidrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = catalog_store(tmp_path_factory.mktemp("navidrome"))
    import_rows(store, "navidrome", [(client_id, track_id) for track_id, client_id in IDS.items()])
    import_rows(store, "navidrome-artists", [*ARTISTS.items(), ("gone", "t99")])
    with in_thread(store, namespace="navidrome") as server:
        yield server


def get(server: Server, url: str) -> Any:
    return httpx.get(f"{server.url}/api/{url}", timeout=60).json()


def nearest(server: Server, track_id: str, k: int, **options: Any) -> list[tuple[str, float]]:
    """What the library answers if only the client's tracks are allowed, by the client's IDs."""
    chosen = Options(filters=Filters(allow=KNOWN), **options)
    neighbors = server.library.similar(TrackSeed(track_id), k, options=chosen).neighbors
    return [(IDS[neighbor.track_id], neighbor.score) for neighbor in neighbors]


def test_as_many_come_back_as_are_asked_for(navidrome: Server):
    wanted = nearest(navidrome, "t03", 10)
    found = in_json(navidrome, "getSonicSimilarTracks", id=IDS["t03"], count=10)["sonicMatch"]
    assert [(match["entry"]["id"], match["similarity"]) for match in found] == [(i, max(s, 0.0)) for i, s in wanted]
    assert len(found) == 10
    rows = get(navidrome, f"similar_tracks?item_id={IDS['t03']}&n=10&radius_similarity=false")
    assert [row["item_id"] for row in rows] == [i for i, _ in nearest(navidrome, "t03", 10, max_per_artist=3)]
    every = in_json(navidrome, "getSonicSimilarTracks", id=IDS["t03"], count=1000)["sonicMatch"]
    assert {match["entry"]["id"] for match in every} == {IDS[i] for i in KNOWN if i not in ("t03", "t30", "t57")}


def test_of_the_same_bytes_the_one_that_the_client_has_is_shown(navidrome: Server):
    every = in_json(navidrome, "getSonicSimilarTracks", id=IDS["t03"], count=1000)["sonicMatch"]
    titles = {match["entry"]["id"]: match["entry"]["title"] for match in every}
    assert titles[IDS["t50"]] == "Title 50", "not Title 5, which the client does not have"
    asked = in_json(navidrome, "getSonicSimilarTracks", id=IDS["t50"], count=3)["sonicMatch"]
    assert [match["entry"]["id"] for match in asked] == [client_id for client_id, _ in nearest(navidrome, "t05", 3)]


def test_only_the_clients_ids_mean_anything(navidrome: Server):
    for unknown in ("t03", "nd-04-é", "artist-of-3", "Title 3"):
        assert code_of(navidrome, "getSonicSimilarTracks", id=unknown) == 70
        assert "error" in get(navidrome, f"similar_tracks?item_id={unknown}")
    assert code_of(navidrome, "getSonicSimilarTracks", id=IDS["t57"]) == 70
    assert "error" in get(navidrome, "similar_tracks?title=Title 4&artist=artist 4"), "the client has no Title 4"
    by_title = get(navidrome, "similar_tracks?title=title 6&artist=ARTIST 6")
    assert by_title == get(navidrome, f"similar_tracks?item_id={IDS['t06']}")
    assert get(navidrome, f"similar_tracks?item_id={IDS['t06']}&server=navidrome") == by_title


def test_a_path_leads_over_the_clients_tracks(navidrome: Server):
    found = in_json(navidrome, "findSonicPath", startSongId=IDS["t50"], endSongId=IDS["t51"], count=8)["sonicMatch"]
    ids = [match["entry"]["id"] for match in found]
    assert (ids[0], ids[-1], len(set(ids))) == (IDS["t50"], IDS["t51"], 8)
    assert set(ids) <= set(IDS.values())
    assert found[0]["entry"]["title"] == "Title 50"
    path = get(navidrome, f"find_path?start_song_id={IDS['t00']}&end_song_id={IDS['t45']}&max_steps=500")["path"]
    assert len({row["item_id"] for row in path}) == len(path) == len(KNOWN) - 2, "no more than the client has"


def test_search_and_the_farthest(navidrome: Server):
    found = {row["item_id"] for row in get(navidrome, "search_tracks?search_query=title&end=500")}
    assert found == set(IDS.values())
    assert get(navidrome, "search_tracks?search_query=Title 4") == get(navidrome, "search_tracks?title=Title 4")
    titles = [row["title"] for row in get(navidrome, "search_tracks?search_query=Title 4")]
    assert titles == ["Title 42", "Title 45", "Title 24"], "the text as a whole first, then each word"
    opposite = get(navidrome, f"max_distance?item_id={IDS['t03']}")
    farthest = min(nearest(navidrome, "t03", 1000), key=lambda item: item[1])
    assert opposite["farthest_item_id"] == farthest[0]
    assert opposite["max_distance"] == pytest.approx(1 - farthest[1], abs=1e-6)


def test_artists_by_their_ids(navidrome: Server):
    by_id = get(navidrome, "similar_artists?artist=artist-of-3&n=100&include_component_matches=true")
    assert by_id == get(navidrome, "similar_artists?artist=artist 3&n=100&include_component_matches=true")
    assert {row["artist"]: row["artist_id"] for row in by_id if row["artist_id"]} == {"artist 12": "artist-of-12"}
    shown = {song["item_id"] for row in by_id for song in row["component_matches"][0]["artist2_representative_songs"]}
    assert shown <= set(IDS.values())
    assert {row["artist"] for row in by_id} <= {f"artist {int(i[1:])}" for i in KNOWN}, "artists that the client has"
    assert get(navidrome, "similar_artists?artist=gone")["error"].startswith("no artist 'gone'")


def test_a_namespace_that_nothing_was_imported_into(serve, tmp_path):
    server = serve(catalog_store(tmp_path), namespace="plex")
    failed = in_json(server, "getSonicSimilarTracks", id="1")["error"]
    assert failed["code"] == 70
    assert "no namespace 'plex' of aliases" in failed["message"]
    assert "audioae aliases import" in get(server, "similar_tracks?item_id=1")["error"]
