"""What each job answers where little is known or nonsense is asked: similar, recommend, playlist, side by side."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from audioae.api import Library
from audioae.errors import AudioError, SearchError
from audioae.library.filters import Filters
from audioae.playlists.builder import Playlists
from audioae.playlists.options import PlaylistOptions
from audioae.recommend.config import RecommendConfig
from audioae.recommend.recommender import Recommender
from audioae.recommend.table import publish_recommendations
from audioae.similarity.search import Options
from audioae.store.dataset import Store
from tests.stores import made_store

EASY = {"artist_window": 1, "max_per_artist": None}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return made_store(tmp_path_factory.mktemp("plain") / "store")


def similar(store: Store, *seeds: str, k: int = 3, **filters) -> list[str]:
    answer = Library(store).similar(list(seeds), k, options=Options(Filters(**filters)))
    return [row["track_id"] for row in answer.neighbors]


def playlist(store: Store, *waypoints: str, n: int = 4, **filters) -> list[str]:
    library = Library(store, embeddings=store.require("embeddings"))
    answer = Playlists(library).make(waypoints, PlaylistOptions(n=n, **EASY), Filters(**filters))
    return [entry["track_id"] for entry in answer.document["entries"]]


def recommender(store: Store, folder: Path, plays: Sequence[tuple[str, str]]) -> Recommender:
    path = folder / "plays.csv"
    path.write_text("\n".join(["listener_id,track_id", *(",".join(play) for play in plays)]))
    return Recommender(Library(store, embeddings=store.require("embeddings")), str(path))


def recommend(store: Store, folder: Path, *played: str, k: int = 3) -> list[str]:
    found = recommender(store, folder, [("anna", track_id) for track_id in played]).for_listener("anna", k)
    return [row["track_id"] for row in found]


def test_an_unknown_track(store: Store, tmp_path: Path):
    wanted = "no track 'Title 99' among the 12 of .*; did you mean 'Title 9'"
    with pytest.raises(SearchError, match=wanted):
        similar(store, "Title 99")
    with pytest.raises(SearchError, match=wanted):
        playlist(store, "t00", "Title 99")
    with pytest.raises(SearchError, match=wanted):
        recommender(store, tmp_path, [("anna", "t00")]).audience("Title 99", 3)


def test_an_unknown_label(store: Store):
    wanted = "no track has the label 'style'; known: 'style 1', 'style 0'"
    with pytest.raises(SearchError, match=wanted):
        similar(store, "t00", label=["style"])
    with pytest.raises(SearchError, match=wanted):
        playlist(store, "t00", "t01", label=["style"])


def test_more_than_the_catalog_has(store: Store, tmp_path: Path):
    assert len(similar(store, "t00", k=1000)) == 11
    assert len(recommend(store, tmp_path, "t00", "t01", k=1000)) == 10
    assert len(recommender(store, tmp_path, [("anna", "t00")]).audience("t05", 1000)[1]) == 1
    with pytest.raises(SearchError, match="n=100: only 12 different tracks are left of 12"):
        playlist(store, "t00", "t01", n=100)


@pytest.mark.parametrize("k", [0, -1])
def test_less_than_one(store: Store, tmp_path: Path, k: int):
    with pytest.raises(SearchError, match=f"k={k}: wanted at least 1 neighbor"):
        similar(store, "t00", k=k)
    with pytest.raises(SearchError, match=f"k={k}: wanted at least 1 new track"):
        recommend(store, tmp_path, "t00", k=k)
    with pytest.raises(SearchError, match=f"k={k}: wanted at least 1 listener"):
        recommender(store, tmp_path, [("anna", "t00")]).audience("t05", k)


def test_filters_that_exclude_everything(store: Store):
    wanted = "no track of 12 passes all filters; alone they leave: label 6, allow 1; drop or widen one"
    for job in (similar, playlist):
        with pytest.raises(SearchError, match=wanted):
            job(store, "t00", "t01", label=["style 0"], allow=["t03"])


def test_filters_that_leave_only_the_query(store: Store):
    assert similar(store, "t00", allow=["t00"]) == []
    assert playlist(store, "t00", "t02", n=2, allow=["t00"]) == ["t00", "t02"]
    with pytest.raises(SearchError, match="n=4: only 2 different tracks are left of 12: the filters leave 2 including"):
        playlist(store, "t00", "t02", allow=["t00"])


def test_from_is_to(store: Store):
    for waypoints in (["t00", "t00"], ["t00", "Title 0"], ["t00", "t05", "t00"]):
        with pytest.raises(SearchError, match="a track occurs twice; to find tracks around a single one"):
            playlist(store, *waypoints)
    assert similar(store, "t00", "t00") == similar(store, "t00")


def test_a_history_of_unknown_tracks(store: Store, tmp_path: Path):
    with pytest.raises(SearchError, match="none of its 2 plays is of a track with an embedding, the first is of x"):
        recommend(store, tmp_path, "x", "y")
    some = recommender(store, tmp_path, [("anna", "t00"), ("anna", "x"), ("ben", "y")])
    assert len(some.for_listener("anna", 3)) == 3
    assert (some.plays.unknown_plays, some.plays.lost_listeners) == (2, 1)
    with pytest.raises(
        SearchError, match=r"listener 'ben' has no play of a track with an embedding; 1 listeners have one: anna"
    ):
        some.for_listener("ben", 3)
    with pytest.raises(SearchError, match="none of its 1 plays"):
        publish_recommendations(store, RecommendConfig(plays=written(tmp_path, "cleo,x")), store.require("embeddings"))
    assert store.latest("coldstart") is None


def written(folder: Path, play: str) -> str:
    (folder / "one.csv").write_text(f"listener_id,track_id\n{play}\n")
    return str(folder / "one.csv")


def test_everything_was_played(store: Store, tmp_path: Path):
    with pytest.raises(SearchError, match="all 12 tracks with an embedding have been played; none is new"):
        recommend(store, tmp_path, *(f"t{i:02d}" for i in range(12)))


def test_a_file_that_cannot_be_decoded(store: Store, tmp_path: Path):
    text, empty = tmp_path / "notes.mp3", tmp_path / "empty.wav"
    text.write_text("not music")
    empty.touch()
    for path, reason in ((text, "not_audio"), (empty, "empty")):
        with pytest.raises(AudioError, match=reason):
            similar(store, str(path))
        with pytest.raises(AudioError, match=reason):
            recommender(store, tmp_path, [("anna", "t00")]).audience(str(path), 3)
        with pytest.raises(SearchError, match="is an audio file, but a playlist contains only tracks of"):
            playlist(store, "t00", str(path))


@pytest.mark.parametrize("label", ["only", None], ids=["one label", "no labels"])
def test_labels_that_tell_nothing(tmp_path: Path, label: str | None):
    store = made_store(tmp_path / "store", columns={"label": [label] * 12})
    assert len(similar(store, "t00")) == 3
    assert len(set(playlist(store, "t00", "t01"))) == 4
    found = recommender(store, tmp_path, [(f"l{i % 40}", f"t{i % 9:02d}") for i in range(200)])
    assert {row["track_id"] for row in found.for_listener("l3", 99)} == {"t09", "t10", "t11"}
    assert len(found.audience("t10", 5)[1]) == 5
    assert found.tastes_of("l3")[0]["labels"] == ([label] if label else [])
    for job in (similar, playlist):
        with pytest.raises(SearchError, match="known: 'only'" if label else "this catalog has no labels"):
            job(store, "t00", "t01", label=["jazz"])


def test_nothing_but_sound_is_known(tmp_path: Path):
    store = made_store(
        tmp_path / "store", columns=dict.fromkeys(("title", "artist", "label", "duration_s"), [None] * 12)
    )
    assert len(similar(store, "t00")) == 3
    assert len(set(playlist(store, "t00", "t01"))) == 4
    assert len(recommend(store, tmp_path, "t00")) == 3


def test_a_catalog_of_three(tmp_path: Path):
    store = made_store(tmp_path / "store", 3)
    assert sorted(similar(store, "t00", k=10)) == ["t01", "t02"]
    assert playlist(store, "t00", "t02", n=3) == ["t00", "t01", "t02"]
    assert sorted(recommend(store, tmp_path, "t00")) == ["t01", "t02"]
    with pytest.raises(SearchError, match="n=4: only 3 different tracks are left of 3"):
        playlist(store, "t00", "t02")


def test_tracks_without_an_embedding(tmp_path: Path):
    """They are in no answer, and whoever asks for one is told why it has none."""
    store = made_store(tmp_path / "store", rejected=[3], pending=[4])
    absent = {"t03", "t04"}
    found = recommender(store, tmp_path, [("anna", "t00"), ("anna", "t03"), ("anna", "t04")])
    assert not absent & set(similar(store, "t00", k=99))
    assert not absent & set(playlist(store, "t00", "t01", n=10))
    assert not absent & {row["track_id"] for row in found.for_listener("anna", 99)}
    assert found.plays.unknown_plays == 2
    for track_id, why in (("t03", r"t03 \(Title 3\) has no embedding; silent: peak"), ("t04", "it was not processed")):
        with pytest.raises(SearchError, match=why):
            similar(store, track_id)
        with pytest.raises(SearchError, match=why):
            playlist(store, "t00", track_id)
        with pytest.raises(SearchError, match=why):
            found.audience(track_id, 3)
    with pytest.raises(SearchError, match="2 tracks pass the filters, but none of them has an embedding"):
        similar(store, "t00", allow=sorted(absent))
    with pytest.raises(SearchError, match="the filters leave 2 including the waypoints"):
        playlist(store, "t00", "t01", allow=sorted(absent))


def test_copies_are_one_recording_to_every_job(tmp_path: Path):
    """t05 is t01 encoded once more, t06 has the bytes of t02: none stands beside the other, or for a new track."""
    store = made_store(tmp_path / "store", copies={5: 1}, same_bytes={6: 2})
    for asked in ("t01", "t05"):
        assert not {"t01", "t05"} & set(similar(store, asked, k=99))
    everything = playlist(store, "t00", "t11", n=10)
    assert len({"t01", "t05"} & set(everything)) == 1
    assert "t06" not in everything
    with pytest.raises(SearchError, match=r"n=11: only 10 different tracks .* 1 are copies of another"):
        playlist(store, "t00", "t11", n=11)
    with pytest.raises(SearchError, match="a track occurs twice"):
        playlist(store, "t02", "t06")
    assert playlist(store, "t01", "t05", n=2) == ["t01", "t05"]  # asked for by name
    new = set(recommend(store, tmp_path, "t00", k=99))
    assert new == {f"t{i:02d}" for i in range(12)} - {"t00", "t05", "t06"}
    assert set(recommend(store, tmp_path, "t00", "t05", "t06", k=99)) == new - {"t01", "t02"}


def test_of_the_same_bytes_the_one_that_passes_the_filters_is_shown(tmp_path: Path):
    albums = {"album": [*["first"] * 6, *["best of"] * 6], "title": [*["a", "b", "c"] * 2, *["d", None, "e"] * 2]}
    store = made_store(tmp_path / "store", same_bytes={7: 2, 8: 3}, columns=albums)
    assert set(similar(store, "t00", k=99, album=["best of"])) == {f"t{i:02d}" for i in range(6, 12)}
    walked = playlist(store, "t00", "t01", n=8, album=["best of"])
    assert set(walked) == {"t00", "t01", *(f"t{i:02d}" for i in range(6, 12))}
    made = Playlists(Library(store)).make(["t00", "t02"], PlaylistOptions(n=7, **EASY), Filters(album=["best of"]))
    shown = {entry["track_id"]: (entry["title"], entry["album"]) for entry in made.document["entries"]}
    assert shown["t02"] == ("c", "first")  # asked for by name
    assert shown["t08"] == ("e", "best of")
    assert "t07" not in shown


def test_an_index_from_before_knows_only_the_same_bytes(tmp_path: Path):
    """Or none at all: near duplicates are what an index has found."""
    store = made_store(tmp_path / "store", copies={5: 1}, same_bytes={6: 2}, indexed=False)
    assert len({"t01", "t05"} & set(playlist(store, "t00", "t11", n=11))) == 2
    assert {"t01", "t05"} <= set(recommend(store, tmp_path, "t00", k=99))
    assert "t06" not in recommend(store, tmp_path, "t00", k=99)


def test_a_table_of_recommendations_names_the_index_that_knew_the_copies(tmp_path: Path):
    store = made_store(tmp_path / "store", copies={5: 1}, indexed=False)
    embeddings, config = store.require("embeddings"), RecommendConfig(plays=written(tmp_path, "anna,t05"))
    before = publish_recommendations(store, config, embeddings)
    assert set(store.manifest(before).parents) == {"embeddings", "tracks"}
    assert "t01" in store.read(before)["track_id"].to_pylist()
    made_store(tmp_path / "store", copies={5: 1})
    after = publish_recommendations(store, config, embeddings)
    assert store.manifest(after).parent("index") == store.require("index")
    assert not {"t01", "t05"} & set(store.read(after)["track_id"].to_pylist())
    assert publish_recommendations(store, config, embeddings) == after
