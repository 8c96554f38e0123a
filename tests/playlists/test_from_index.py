"""Playlists from an index: the same as from the whole catalog, and without a look at the audio."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import SearchError
from audioae.library.filters import Filters
from audioae.playlists import from_index
from audioae.playlists.builder import Playlists
from audioae.playlists.from_index import IndexedPlaylists
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.tempos import Tempos
from tests.bench.made_catalog import million
from tests.playlists.made import NO_ARTIST_RULES
from tests.stores import made_store

EASY = PlaylistOptions(n=6, **NO_ARTIST_RULES)
NONE = Filters()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """6,000 tracks: more than those near a path."""
    return Library(million(tmp_path_factory.mktemp("large") / "store", 6_000))


def listed(document: dict) -> list[str]:
    return [entry["track_id"] for entry in document["entries"]]


def ids_at(library: Library, rows: Sequence[int]) -> list[str]:
    return [str(library.index.ids[row].as_py()) for row in rows]


@pytest.mark.parametrize(
    ("rows", "options", "filters"),
    [
        ((10, 4000), PlaylistOptions(n=12), NONE),
        ((5999, 17, 2500), PlaylistOptions(n=20, max_per_artist=1, seed=3), NONE),
        ((100, 200), PlaylistOptions(duration_s=3000), NONE),
        ((1, 2), PlaylistOptions(n=15, path="linear"), Filters(label=["ten percent"])),
    ],
)
def test_finds_the_playlists_of_the_whole_catalog(large, rows, options, filters):
    waypoints = ids_at(large, rows)
    near = IndexedPlaylists(large).make(waypoints, options, filters).document
    whole = Playlists(large).make(waypoints, options, filters).document
    assert len(near["entries"]) == len(whole["entries"])
    assert listed(near) == listed(whole)
    assert near["smoothness"]["playlist"] == pytest.approx(whole["smoothness"]["playlist"])
    assert (near["name"], near["gave_way"], near["model"]) == (whole["name"], whole["gave_way"], whole["model"])


def test_reads_only_the_tracks_near_the_path(large, monkeypatch):
    read = []
    take = from_index.tracks_at
    monkeypatch.setattr(from_index, "tracks_at", lambda *arguments: read.append(len(arguments[1])) or take(*arguments))
    IndexedPlaylists(large).make(ids_at(large, (10, 11)), EASY, NONE)
    assert from_index.NEAREST <= read[0] < len(large)


def test_follows_curves_among_all_tracks_that_fit(tmp_path: Path, monkeypatch):
    """With few neighbors looked at, the tracks with the right energy are found although others are nearer."""
    library = Library(made_store(tmp_path / "store", 100))
    options = PlaylistOptions(n=8, energy=Curve(monotone=True, max_step=2), **NO_ARTIST_RULES)
    whole = Playlists(library).make(["t20", "t28"], options).document
    monkeypatch.setattr(from_index, "ALL_UP_TO", 0)
    monkeypatch.setattr(from_index, "NEAREST", 7)
    near = IndexedPlaylists(library).make(["t20", "t28"], options, NONE).document
    energies = [entry["energy"] for entry in near["entries"]]
    assert near["gave_way"] == whole["gave_way"] == {}
    assert (energies[0], energies[-1]) == (-10.0, -2.0)
    assert energies == sorted(energies)


def test_without_audio_a_tempo_curve_needs_stored_tempos(tmp_path: Path):
    store = made_store(tmp_path / "store", 30)
    library = Library(store)
    options = EASY.model_copy(update={"tempo": Curve(monotone=True)})
    with pytest.raises(
        SearchError, match=r"tempo: 0 of the 30 tracks .* the waypoints t01, t05 have none; leave tempo"
    ):
        IndexedPlaylists(library).make(["t01", "t05"], options, NONE)
    tempos = {f"{row:032x}": 100.0 + row for row in range(20)}
    assert Tempos(store, library.mels_config).save(tempos) is None
    entries = IndexedPlaylists(library).make(["t01", "t12"], options, NONE).document["entries"]
    assert [entry["tempo"] for entry in entries] == sorted(entry["tempo"] for entry in entries)
    assert (entries[0]["tempo"], entries[-1]["tempo"]) == (101.0, 112.0)
    with pytest.raises(SearchError, match=r"tempo: 20 of the 30 tracks .* the waypoints t25 have none"):
        IndexedPlaylists(library).make(["t01", "t25"], options, NONE)


def test_without_audio_seamless_is_an_error(tmp_path: Path):
    library = Library(made_store(tmp_path / "store", 12))
    with pytest.raises(SearchError, match=r"seamless: needs the first and last clips .* leave it out"):
        IndexedPlaylists(library).make(["t01", "t05"], EASY.model_copy(update={"seamless": 1.0}), NONE)


@pytest.mark.parametrize("all_up_to", [0, 5000])
def test_copies_rejects_and_unknown_tracks(tmp_path: Path, monkeypatch, all_up_to: int):
    """t05 and t06 are near copies of t00, t08 has the bytes of t01, t09 is rejected."""
    monkeypatch.setattr(from_index, "ALL_UP_TO", all_up_to)
    store = made_store(tmp_path / "store", 12, copies={5: 0, 6: 0}, same_bytes={8: 1}, rejected=[9])
    playlists = IndexedPlaylists(Library(store))
    with pytest.raises(SearchError, match="n=9: only 8 different tracks"):
        playlists.make(["t01", "t02"], PlaylistOptions(n=9, **NO_ARTIST_RULES), NONE)
    assert listed(playlists.make(["t08", "t02"], EASY, NONE).document)[0] == "t01"
    only = Filters(allow=["t08", "t02", "t03", "t04"])
    assert listed(playlists.make(["t02", "t03"], PlaylistOptions(n=4, **NO_ARTIST_RULES), only).document).count("t08")
    with pytest.raises(SearchError, match=r"t09 .* has no embedding; silent"):
        playlists.make(["t01", "t09"], EASY, NONE)
    with pytest.raises(SearchError, match="no track 't99'"):
        playlists.make(["t01", "t99"], EASY, NONE)
    with pytest.raises(SearchError, match="got 1, wanted at least 2"):
        playlists.make(["t01"], EASY, NONE)
    with pytest.raises(SearchError, match="a track occurs twice"):
        playlists.make(["t01", "t08"], EASY, NONE)


def test_threads_share_one_object(large):
    playlists, waypoints = IndexedPlaylists(large), [ids_at(large, (row, row + 500)) for row in range(0, 40, 10)]
    options = PlaylistOptions(n=8)
    alone = [listed(IndexedPlaylists(large).make(ends, options, NONE).document) for ends in waypoints]
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(playlists.make, ends, options, NONE) for ends in waypoints * 2]
        assert [listed(answer.result().document) for answer in asked] == alone * 2


def test_energy_is_the_stored_one(tmp_path: Path):
    library = Library(made_store(tmp_path / "store", 12))
    entries = IndexedPlaylists(library).make(["t01", "t05"], EASY, NONE).document["entries"]
    assert [entry["energy"] for entry in entries] == [-30.0 + int(entry["track_id"][1:]) for entry in entries]
    assert np.isfinite([entry["step"] for entry in entries[1:]]).all()
