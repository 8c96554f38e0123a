"""Recommendations for a listener, audiences of a track, and the commands."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from audioae.cli import app
from audioae.errors import SearchError
from audioae.recommend.recommender import Recommender
from audioae.store.dataset import Store


def test_recommends_new_tracks_with_reasons_and_tastes(library, plays):
    recommender = Recommender(library, plays)
    rows = recommender.for_listener("listener07", 3)
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert all(row["title"] and len(row["because"]) in (1, 2) for row in rows)
    tastes = recommender.tastes_of("listener07")
    assert sum(taste["share"] for taste in tastes) == pytest.approx(1)


def test_finds_the_audience_of_a_track_and_of_a_file(library, plays):
    recommender = Recommender(library, plays)
    row = next(row for row in library.tracks.to_pylist() if row["duplicate_of"] is None)
    track, listeners = recommender.audience(row["track_id"], 5)
    assert track["track_id"] == row["track_id"]
    assert [row["rank"] for row in listeners] == [1, 2, 3, 4, 5]
    scores = [row["score"] for row in listeners]
    assert scores == sorted(scores, reverse=True)
    copied = Path(plays).parent / f"unknown{Path(row['uri']).suffix}"
    shutil.copy(row["uri"], copied)
    track, listeners = recommender.audience(str(copied), 5)
    assert track["title"] == "unknown"
    assert len(listeners) == 5
    with pytest.raises(SearchError, match="no track 'nothing like it'"):
        recommender.audience("nothing like it", 5)


def audioae(*arguments: str, store: Store) -> Result:
    return CliRunner().invoke(app, ["recommend", *arguments, "--store", store.root])


def test_commands_print_and_write(store, library, plays, truth, tmp_path):
    run = audioae("tracks", "listener07", plays, "-k", "2", "--json", store=store)
    answer = json.loads(run.stdout)
    assert [row["rank"] for row in answer["tracks"]] == [1, 2]
    assert answer["unknown_plays"] == 0
    run = audioae("audience", library.tracks["track_id"][0].as_py(), plays, store=store)
    assert "listeners for" in run.stdout
    run = audioae("simulate", str(tmp_path / "p.parquet"), "--truth", truth, "--listeners", "30", store=store)
    assert "plays of 30 listeners written" in run.stdout
    run = audioae("measure", "--plays", str(tmp_path / "p.parquet"), "--out", str(tmp_path / "m.json"), store=store)
    assert "new tracks, artists may be known" in run.stdout
    assert "MFCC" in run.stdout
    assert json.loads((tmp_path / "m.json").read_text())["n_listeners"] == 30
    vectors = tmp_path / "v.npz"
    np.savez(vectors, id=np.array(library.tracks["track_id"].to_pylist()[:20]), vector=np.eye(20, dtype=np.float32))
    run = audioae("vectors", str(vectors), str(tmp_path / "v.parquet"), store=store)
    assert "4 vectors estimated from 20 known ones" in run.stdout
    assert "held out by artist: R2" in run.stdout


def test_commands_report_dropped_plays(store, library, tmp_path):
    plays = tmp_path / "mixed.csv"
    plays.write_text(f"listener_id,track_id\n007,nothing\n007,{library.tracks['track_id'][0].as_py()}\n8,nothing\n")
    run = audioae("tracks", "007", str(plays), store=store)
    assert "left out: 2 plays of tracks that have no embedding" in run.stdout
    assert "left out: 1 listeners who played nothing else" in run.stdout
    plays.write_text("listener_id,track_id\n007,nothing\n")
    run = audioae("tracks", "007", str(plays), store=store)
    assert isinstance(run.exception, SearchError)
    assert "none of its 1 plays is of a track with an embedding" in str(run.exception)
