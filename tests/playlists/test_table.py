"""The table of playlists: the rows of `Playlists`, published together or not at all."""

from pathlib import Path

import pytest

from audioae.api import Library
from audioae.errors import ConfigError, SearchError
from audioae.library.filters import Filters
from audioae.pipeline.config import Workers
from audioae.playlists.builder import Playlists
from audioae.playlists.options import PlaylistOptions
from audioae.playlists.table import PlaylistRequest, publish_playlists
from audioae.store.dataset import Store
from tests.stores import made_store

SIX = PlaylistOptions(n=6)
REQUESTS = (
    PlaylistRequest(name="long", waypoints=("t00", "Title 7", "t03"), options=PlaylistOptions(n=9)),
    PlaylistRequest(name="one style", waypoints=("t00", "t02"), options=SIX, label=("style 0",)),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return made_store(tmp_path / "store", 30)


def publish(store: Store, *requests: PlaylistRequest):
    return publish_playlists(store, requests, store.require("index"), Workers(), lambda what, done, total: None)


def test_table_equals_the_playlists(store: Store):
    rows = store.read(publish(store, *REQUESTS)).to_pylist()
    playlists = Playlists(Library(store))
    for request in REQUESTS:
        document = playlists.make(request.waypoints, request.options, Filters(label=request.label)).document
        stored = [row for row in rows if row["playlist"] == request.name]
        for column in ("position", "track_id", "waypoint"):
            assert [row[column] for row in stored] == [entry[column] for entry in document["entries"]]
        assert [row["step"] for row in stored][1:] == pytest.approx(
            [entry["step"] for entry in document["entries"]][1:]
        )
        assert stored[0]["step"] is None
        assert {tuple(row["gave_way"]) for row in stored} == {tuple(document["gave_way"])}
    assert len(rows) == 15


def test_another_playlist_adds_one_part(store: Store):
    first = publish(store, REQUESTS[0])
    both = publish(store, *REQUESTS)
    assert store.manifest(both).parts[0] == store.manifest(first).parts[0]
    assert len(store.part_fingerprints("playlists")) == 2
    assert publish(store, REQUESTS[0]) == first == store.latest("playlists")


def test_stores_the_relaxed_rules(tmp_path: Path):
    store = made_store(tmp_path / "store", 30, columns={"artist": ["one and the same"] * 30})
    request = PlaylistRequest(name="a", waypoints=("t00", "t01"), options=SIX)
    assert store.read(publish(store, request))["gave_way"].to_pylist() == [["artist_window", "max_per_artist"]] * 6


def test_publishes_nothing_if_one_playlist_fails(store: Store):
    lost = PlaylistRequest(name="lost", waypoints=("t00", "no such track"), options=SIX)
    with pytest.raises(SearchError, match="playlist 'lost': no track 'no such track'"):
        publish(store, REQUESTS[0], lost)
    assert store.latest("playlists") is None


@pytest.mark.parametrize(
    ("requests", "message"), [((), "none are configured"), (REQUESTS[:1] * 2, "two have the name 'long'")]
)
def test_refuses_missing_and_repeated_names(store: Store, requests: tuple, message: str):
    with pytest.raises(ConfigError, match=message):
        publish(store, *requests)
