"""Bad input and sparse catalogs: similar, recommend and playlist answer consistently, or fail with a clear error."""

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
from tests.stores import made_store, random_weights

EASY = {"artist_window": 1, "max_per_artist": None}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return made_store(tmp_path_factory.mktemp("plain") / "store", model=random_weights())


def similar(store: Store, *seeds: str, k: int = 3, **filters) -> list[str]:
    answer = Library(store).similar(list(seeds), k, options=Options(Filters(**filters)))
    return [neighbor.track_id for neighbor in answer.neighbors]


def playlist(store: Store, *waypoints: str, n: int = 4, **filters) -> list[str]:
    library = Library(store, embeddings=store.require("embeddings"))
    answer = Playlists(library).make(waypoints, PlaylistOptions(n=n, **EASY), Filters(**filters))
    return [entry["track_id"] for entry in answer.document["entries"]]


def recommender(store: Store, folder: Path, plays: Sequence[tuple[str, str]]) -> Recommender:
    path = folder / "plays.csv"
    path.write_text("\n".join(["listener_id,track_id", *(",".join(play) for play in plays)]))
    return Recommender(Library(store, embeddings=store.require("embeddings")), str(path))


def recommend(store: Store, folder: Path, *played: str, k: int = 3) -> list[str]:
    rows = recommender(store, folder, [("anna", track_id) for track_id in played]).for_listener("anna", k)
    return [row["track_id"] for row in rows]


def test_an_unknown_track_is_an_error_that_suggests_a_title(store: Store, tmp_path: Path):
    wanted = "no track 'Title 99' among the 12 of .*; did you mean 'Title 9'"
    with pytest.raises(SearchError, match=wanted):
        similar(store, "Title 99")
    with pytest.raises(SearchError, match=wanted):
        playlist(store, "t00", "Title 99")
    with pytest.raises(SearchError, match=wanted):
        recommender(store, tmp_path, [("anna", "t00")]).audience("Title 99", 3)


def test_an_unknown_label_is_an_error_that_lists_the_known_ones(store: Store):
    wanted = "no track has the label 'style'; known: 'style 1', 'style 0'"
    with pytest.raises(SearchError, match=wanted):
        similar(store, "t00", label=["style"])
    with pytest.raises(SearchError, match=wanted):
        playlist(store, "t00", "t01", label=["style"])


def test_asking_for_more_than_the_catalog_has_gives_all_or_an_error(store: Store, tmp_path: Path):
    assert len(similar(store, "t00", k=1000)) == 11
    assert len(recommend(store, tmp_path, "t00", "t01", k=1000)) == 10
    assert len(recommender(store, tmp_path, [("anna", "t00")]).audience("t05", 1000)[1]) == 1
    with pytest.raises(SearchError, match="n=100: only 12 different tracks are left of 12"):
        playlist(store, "t00", "t01", n=100)


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_1_is_an_error(store: Store, tmp_path: Path, k: int):
    with pytest.raises(SearchError, match=f"k={k}: wanted at least 1 neighbor"):
        similar(store, "t00", k=k)
    with pytest.raises(SearchError, match=f"k={k}: wanted at least 1 new track"):
        recommend(store, tmp_path, "t00", k=k)
    with pytest.raises(SearchError, match=f"k={k}: wanted at least 1 listener"):
        recommender(store, tmp_path, [("anna", "t00")]).audience("t05", k)


def test_filters_that_exclude_every_track_are_an_error(store: Store):
    wanted = "no track of 12 passes all filters; alone they leave: label 6, allow 1; drop or widen one"
    for job in (similar, playlist):
        with pytest.raises(SearchError, match=wanted):
            job(store, "t00", "t01", label=["style 0"], allow=["t03"])


def test_filters_that_leave_only_the_query_give_no_neighbors(store: Store):
    assert similar(store, "t00", allow=["t00"]) == []
    assert playlist(store, "t00", "t02", n=2, allow=["t00"]) == ["t00", "t02"]
    with pytest.raises(SearchError, match="n=4: only 2 different tracks are left of 12: the filters leave 2 including"):
        playlist(store, "t00", "t02", allow=["t00"])


def test_a_repeated_waypoint_is_an_error_and_a_repeated_seed_is_not(store: Store):
    for waypoints in (["t00", "t00"], ["t00", "Title 0"], ["t00", "t05", "t00"]):
        with pytest.raises(SearchError, match="a track occurs twice; to find tracks around a single one"):
            playlist(store, *waypoints)
    assert similar(store, "t00", "t00") == similar(store, "t00")


def test_plays_of_unknown_tracks_are_counted_and_an_error_if_no_others_exist(store: Store, tmp_path: Path):
    with pytest.raises(SearchError, match="none of its 2 plays is of a track with an embedding, the first is of x"):
        recommend(store, tmp_path, "x", "y")
    mixed = recommender(store, tmp_path, [("anna", "t00"), ("anna", "x"), ("ben", "y")])
    assert len(mixed.for_listener("anna", 3)) == 3
    assert (mixed.plays.unknown_plays, mixed.plays.lost_listeners) == (2, 1)
    with pytest.raises(
        SearchError, match=r"listener 'ben' has no play of a track with an embedding; 1 listeners have one: anna"
    ):
        mixed.for_listener("ben", 3)
    with pytest.raises(SearchError, match="none of its 1 plays"):
        publish_recommendations(store, RecommendConfig(plays=written(tmp_path, "cleo,x")), store.require("embeddings"))
    assert store.latest("recommendations") is None


def written(folder: Path, play: str) -> str:
    """Write a play log with one row, and return its path."""
    (folder / "one.csv").write_text(f"listener_id,track_id\n{play}\n")
    return str(folder / "one.csv")


def test_a_listener_who_has_played_every_track_gets_an_error(store: Store, tmp_path: Path):
    with pytest.raises(SearchError, match="all 12 tracks with an embedding have been played; none is new"):
        recommend(store, tmp_path, *(f"t{i:02d}" for i in range(12)))


def test_a_file_that_cannot_be_decoded_is_an_error_with_the_reason(store: Store, tmp_path: Path):
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
def test_jobs_work_with_one_label_or_none(tmp_path: Path, label: str | None):
    store = made_store(tmp_path / "store", columns={"label": [label] * 12})
    assert len(similar(store, "t00")) == 3
    assert len(set(playlist(store, "t00", "t01"))) == 4
    recommendations = recommender(store, tmp_path, [(f"l{i % 40}", f"t{i % 9:02d}") for i in range(200)])
    assert {row["track_id"] for row in recommendations.for_listener("l3", 99)} == {"t09", "t10", "t11"}
    assert len(recommendations.audience("t10", 5)[1]) == 5
    assert recommendations.tastes_of("l3")[0]["labels"] == ([label] if label else [])
    for job in (similar, playlist):
        with pytest.raises(SearchError, match="known: 'only'" if label else "this catalog has no labels"):
            job(store, "t00", "t01", label=["jazz"])


def test_jobs_work_without_any_metadata(tmp_path: Path):
    store = made_store(
        tmp_path / "store", columns=dict.fromkeys(("title", "artist", "label", "duration_s"), [None] * 12)
    )
    assert len(similar(store, "t00")) == 3
    assert len(set(playlist(store, "t00", "t01"))) == 4
    assert len(recommend(store, tmp_path, "t00")) == 3


def test_jobs_work_on_a_catalog_of_three_tracks(tmp_path: Path):
    store = made_store(tmp_path / "store", 3)
    assert sorted(similar(store, "t00", k=10)) == ["t01", "t02"]
    assert playlist(store, "t00", "t02", n=3) == ["t00", "t01", "t02"]
    assert sorted(recommend(store, tmp_path, "t00")) == ["t01", "t02"]
    with pytest.raises(SearchError, match="n=4: only 3 different tracks are left of 3"):
        playlist(store, "t00", "t02")


def test_tracks_without_an_embedding_are_in_no_answer_and_the_error_says_why(tmp_path: Path):
    store = made_store(tmp_path / "store", rejected=[3], pending=[4])
    absent = {"t03", "t04"}
    recommendations = recommender(store, tmp_path, [("anna", "t00"), ("anna", "t03"), ("anna", "t04")])
    assert not absent & set(similar(store, "t00", k=99))
    assert not absent & set(playlist(store, "t00", "t01", n=10))
    assert not absent & {row["track_id"] for row in recommendations.for_listener("anna", 99)}
    assert recommendations.plays.unknown_plays == 2
    for track_id, why in (
        ("t03", r"t03 \(Title 3\) has no embedding; silent: peak"),
        ("t04", "it has not been processed"),
    ):
        with pytest.raises(SearchError, match=why):
            similar(store, track_id)
        with pytest.raises(SearchError, match=why):
            playlist(store, "t00", track_id)
        with pytest.raises(SearchError, match=why):
            recommendations.audience(track_id, 3)
    with pytest.raises(SearchError, match="2 tracks pass the filters, but none has an embedding"):
        similar(store, "t00", allow=sorted(absent))
    with pytest.raises(SearchError, match="the filters leave 2 including the waypoints"):
        playlist(store, "t00", "t01", allow=sorted(absent))


def test_copies_are_one_recording_to_every_job(tmp_path: Path):
    """t05 is a re-encoded t01 and t06 is byte-identical to t02: no answer has both, or recommends a copy as new."""
    store = made_store(tmp_path / "store", copies={5: 1}, same_bytes={6: 2})
    for seed in ("t01", "t05"):
        assert not {"t01", "t05"} & set(similar(store, seed, k=99))
    everything = playlist(store, "t00", "t11", n=10)
    assert len({"t01", "t05"} & set(everything)) == 1
    assert "t06" not in everything
    with pytest.raises(SearchError, match=r"n=11: only 10 different tracks .* 1 are copies of another"):
        playlist(store, "t00", "t11", n=11)
    with pytest.raises(SearchError, match="a track occurs twice"):
        playlist(store, "t02", "t06")
    assert playlist(store, "t01", "t05", n=2) == ["t01", "t05"]  # named as waypoints
    new = set(recommend(store, tmp_path, "t00", k=99))
    assert new == {f"t{i:02d}" for i in range(12)} - {"t00", "t05", "t06"}
    assert set(recommend(store, tmp_path, "t00", "t05", "t06", k=99)) == new - {"t01", "t02"}


def test_among_byte_identical_tracks_the_one_that_passes_the_filters_is_shown(tmp_path: Path):
    albums = {"album": [*["first"] * 6, *["best of"] * 6], "title": [*["a", "b", "c"] * 2, *["d", None, "e"] * 2]}
    store = made_store(tmp_path / "store", same_bytes={7: 2, 8: 3}, columns=albums)
    assert set(similar(store, "t00", k=99, album=["best of"])) == {f"t{i:02d}" for i in range(6, 12)}
    track_ids = playlist(store, "t00", "t01", n=8, album=["best of"])
    assert set(track_ids) == {"t00", "t01", *(f"t{i:02d}" for i in range(6, 12))}
    made = Playlists(Library(store)).make(["t00", "t02"], PlaylistOptions(n=7, **EASY), Filters(album=["best of"]))
    shown = {entry["track_id"]: (entry["title"], entry["album"]) for entry in made.document["entries"]}
    assert shown["t02"] == ("c", "first")  # named as a waypoint
    assert shown["t08"] == ("e", "best of")
    assert "t07" not in shown


def test_without_an_index_only_byte_identical_copies_are_known(tmp_path: Path):
    """Near duplicates are found when the index is built."""
    store = made_store(tmp_path / "store", copies={5: 1}, same_bytes={6: 2}, indexed=False)
    assert len({"t01", "t05"} & set(playlist(store, "t00", "t11", n=11))) == 2
    assert {"t01", "t05"} <= set(recommend(store, tmp_path, "t00", k=99))
    assert "t06" not in recommend(store, tmp_path, "t00", k=99)


def test_recommendations_are_recomputed_once_an_index_knows_the_copies(tmp_path: Path):
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
