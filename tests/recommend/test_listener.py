"""Recommendations from the plays in the question: those of a log with this one listener, at any size."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audioae.api import Library
from audioae.errors import SearchError
from audioae.library.filters import Filters
from audioae.recommend import listener
from audioae.recommend.answer import Play
from audioae.recommend.listener import ListenerRecommender
from audioae.recommend.recommender import Recommender
from audioae.similarity.seeds import AliasSeed, TrackSeed
from tests.bench.made_catalog import million
from tests.library.test_aliases import import_rows
from tests.stores import made_store

NONE = Filters()
DAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """60 tracks, some of them copies, byte-identical, rejected; every artist has about three tracks."""
    columns = {"artist": [f" artist {row % 20} " if row % 9 else None for row in range(60)]}
    made = {"copies": {30: 3, 31: 3, 40: 10}, "same_bytes": {50: 5}, "rejected": [57]}
    return Library(made_store(tmp_path_factory.mktemp("listener") / "store", 60, columns=columns, **made))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(million(tmp_path_factory.mktemp("large") / "store", 8_000))


def from_log(library: Library, plays: list[Play], k: int, folder: Path) -> tuple[list[dict], list[dict], int]:
    """What a recommender says about a log of this listener."""
    columns = {
        "listener_id": ["anna"] * len(plays),
        "track_id": [play.track for play in plays],
        "weight": [play.weight for play in plays],
        "played_at": [play.played_at for play in plays],
    }
    pq.write_table(pa.table({name: c for name, c in columns.items() if None not in c}), folder / "plays.parquet")
    recommender = Recommender(library, str(folder / "plays.parquet"))
    return recommender.for_listener("anna", k), recommender.tastes_of("anna"), recommender.plays.unknown_plays


def assert_same(library: Library, plays: list[Play], k: int, folder: Path) -> None:
    answer = library.recommend(plays, k)
    rows, tastes, unknown = from_log(library, plays, k, folder)
    assert [one.track_id for one in answer.recommendations] == [row["track_id"] for row in rows]
    assert [one.score for one in answer.recommendations] == pytest.approx([row["score"] for row in rows], abs=1e-4)
    assert [one.taste for one in answer.recommendations] == [row["taste"] for row in rows]
    for one, row in zip(answer.recommendations, rows, strict=True):
        assert [played.track_id for played in one.because] == [played["track_id"] for played in row["because"]]
        assert [p.cosine for p in one.because] == pytest.approx([p["cosine"] for p in row["because"]], abs=1e-5)
    assert [taste.share for taste in answer.tastes] == pytest.approx([taste["share"] for taste in tastes])
    assert [taste.n_tracks for taste in answer.tastes] == [taste["tracks"] for taste in tastes]
    assert [taste.labels for taste in answer.tastes] == [taste["labels"] for taste in tastes]
    assert answer.unknown_plays == unknown


@pytest.mark.parametrize("seed", range(4))
def test_is_the_answer_for_a_log_of_one_listener(library: Library, tmp_path: Path, seed: int):
    rng = np.random.default_rng(seed)
    times = [DAY - timedelta(days=float(days)) for days in rng.uniform(0, 400, 15)]
    tracks = [f"t{row:02d}" for row in rng.integers(0, 60, 13)] + ["nothing", "t57"]
    plays = [
        Play(track, float(weight), time if seed % 2 else None)
        for track, weight, time in zip(tracks, rng.integers(1, 5, 15), times, strict=True)
    ]
    assert_same(library, plays, 20, tmp_path)


def test_near_a_taste_are_the_best_of_a_large_catalog(large: Library, tmp_path: Path, monkeypatch):
    """Few of 8,000 tracks are looked at, and the 30 best are those of all."""
    ids, read = large.index.ids, []
    _, near = large.index.search(large.index.embeddings(np.array([11, 4000, 7777])), 60)
    chosen = np.random.default_rng(0).permutation(near.ravel())[:40]
    plays = [Play(ids[int(row)].as_py(), 1.0 + row % 3) for row in chosen]
    exact = ListenerRecommender(large).recommend(plays, 30, NONE)
    monkeypatch.setattr(listener, "EXACT_UP_TO", 0)
    monkeypatch.setattr(listener, "NEAREST", 150)
    candidates = ListenerRecommender._candidates
    monkeypatch.setattr(ListenerRecommender, "_candidates", lambda *given: read.append(candidates(*given)) or read[-1])
    quick = ListenerRecommender(large).recommend(plays, 30, NONE)
    assert [one.track_id for one in quick.recommendations] == [one.track_id for one in exact.recommendations]
    assert 30 < len(read[0]) < 4000
    assert_same(large, plays, 30, tmp_path)


def test_copies_count_for_their_recording_and_are_not_recommended(library: Library):
    by_copy, by_original = (library.recommend([Play(one), Play("t11")], 60) for one in ("t30", "t03"))
    assert by_copy.recommendations[0].track_id == by_original.recommendations[0].track_id
    listed = {one.track_id for one in by_copy.recommendations}
    assert not listed & {"t03", "t30", "t31", "t40", "t50", "t57", "t11"}
    assert by_copy.short == f"{len(listed)} instead of 60: {len(listed)} recordings are not played yet"
    assert "t05" not in {one.track_id for one in library.recommend([Play("t50")], 60).recommendations}


@pytest.mark.parametrize("exact_up_to", [0, 20_000])
def test_only_what_passes_the_filters(library: Library, monkeypatch, exact_up_to: int):
    """Where only a copy of a recording passes, the copy is recommended; of several copies one."""
    monkeypatch.setattr(listener, "EXACT_UP_TO", exact_up_to)
    answer = library.recommend([Play("t01")], 10, filters=Filters(allow=["t30", "t31", "t50", "t02", "t01"]))
    listed = [one.track_id for one in answer.recommendations]
    assert len(listed) == 3
    assert {"t02", "t50"} < set(listed)
    assert set(listed) & {"t30", "t31"}
    assert answer.short == "3 instead of 10: 3 recordings that the listener has not played pass the filters"
    nothing = library.recommend([Play("t01")], 10, filters=Filters(year=(3000, None)))
    assert (nothing.recommendations, nothing.n_new) == ([], 0)
    assert nothing.short is not None
    assert nothing.short.startswith("no track of 60 passes")
    assert len(nothing.tastes) == 1


def test_plays_by_alias(tmp_path: Path):
    store = made_store(tmp_path / "store", 30)
    import_rows(store, "navidrome", [("nd-1", "t01"), ("nd-2", "t02"), ("nd-3", "t03")])
    library = Library(store)
    by_alias = library.recommend([Play(AliasSeed("navidrome", f"nd-{i}")) for i in (1, 2, 9)], 5)
    by_id = library.recommend([Play(TrackSeed("t01")), Play("t02")], 5)
    assert [one.track_id for one in by_alias.recommendations] == [one.track_id for one in by_id.recommendations]
    assert (by_alias.unknown_plays, by_id.unknown_plays) == (1, 0)


def test_refuses_what_cannot_be_used(library: Library):
    for plays, k, sentence in (
        ([], 1, "none of the 0 plays"),
        ([Play("x")], 1, "none of the 1 plays is of a track with an embedding, the first is of x; wanted"),
        ([Play("t01")], 0, "k=0"),
        ([Play("t01"), Play("t02", 0.0)], 1, "plays.1: weight 0, wanted above 0"),
        ([Play("t01", float("nan"))], 1, "plays.0: weight nan"),
        ([Play("t01", 1.0, DAY), Play("t02")], 1, "1 of 2 plays have no played_at"),
    ):
        with pytest.raises(SearchError, match=sentence):
            library.recommend(plays, k)
    old = [Play("t01", 1.0, DAY - timedelta(days=9000)), Play("x", 1.0, DAY)]
    with pytest.raises(SearchError, match="too old to count"):
        library.recommend(old, 1, half_life_days=0.01)
    mixed = [Play("t01", 1.0, DAY), Play("t02", 1.0, DAY.replace(tzinfo=None))]
    assert library.recommend(mixed, 1).recommendations


def test_threads_share_one_object(library: Library):
    listeners = [[Play(f"t{row:02d}"), Play(f"t{row + 7:02d}")] for row in range(8)]
    alone = [
        [one.track_id for one in Library(library.store).recommend(plays, 5).recommendations] for plays in listeners
    ]
    fresh = Library(library.store)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(fresh.recommend, plays, 5) for plays in listeners]
        assert [[one.track_id for one in answer.result().recommendations] for answer in asked] == alone
