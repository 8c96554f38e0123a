"""Stage recommend on a store: the published table, one listener, an audience, vectors, and the measurement."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from audioae.api import Library
from audioae.cli import app
from audioae.errors import EvaluationError, SearchError
from audioae.recommend.offline_eval import measure_coldstart, write_simulated
from audioae.recommend.recommender import RecommendConfig, Recommender, estimate_vectors, recommend_all
from audioae.store.dataset import Store
from audioae.store.upkeep import prune
from tests.stores import made_store


@pytest.fixture(scope="module")
def store(chain, tmp_path_factory) -> Store:
    """A copy of the finished chain, to publish into."""
    root = tmp_path_factory.mktemp("recommend") / "store"
    shutil.copytree(chain[0].root, root)
    return Store(str(root))


@pytest.fixture(scope="module")
def library(store) -> Library:
    return Library(store, embeddings=store.require("embeddings"))


@pytest.fixture(scope="module")
def truth(tiny_audio) -> str:
    return str(tiny_audio / "truth.csv")


@pytest.fixture(scope="module")
def plays(library, truth, tmp_path_factory) -> str:
    """A simulated log in which the last six tracks were never played."""
    path = tmp_path_factory.mktemp("plays") / "plays.parquet"
    write_simulated(library, truth, str(path), n_listeners=40)
    table = pq.read_table(path)
    new = sorted(library.tracks["track_id"].to_pylist())[-6:]
    pq.write_table(table.filter(pa.array([t not in new for t in table["track_id"].to_pylist()])), path)
    return str(path)


def test_publishes_a_table_once_and_anew_for_other_plays(store, plays, tmp_path):
    embeddings = store.require("embeddings")
    ref = recommend_all(store, RecommendConfig(plays=plays, k=4), embeddings)
    rows = store.read(ref).to_pylist()
    played = pq.read_table(plays)
    assert {row["listener_id"] for row in rows} == set(played["listener_id"].to_pylist())
    assert [row["rank"] for row in rows] == [1, 2, 3, 4] * 40
    assert not {row["track_id"] for row in rows} & set(played["track_id"].to_pylist())
    own = {(a, b) for a, b in zip(*(played[n].to_pylist() for n in ("listener_id", "track_id")), strict=True)}
    assert all((row["listener_id"], track_id) in own for row in rows for track_id in row["because"])
    assert all(row["score"] == pytest.approx((row["fit"] + row["others"]) / 2, abs=1e-5) for row in rows)
    assert store.manifest(ref).parent("embeddings") == embeddings

    parts = store.part_fingerprints("coldstart")
    assert recommend_all(store, RecommendConfig(plays=plays, k=4), embeddings) == ref
    assert store.part_fingerprints("coldstart") == parts
    fewer = tmp_path / "fewer.parquet"
    pq.write_table(played.slice(0, 500), fewer)
    assert recommend_all(store, RecommendConfig(plays=str(fewer), k=4), embeddings) != ref
    assert store.latest("coldstart") != ref
    assert ref not in prune(store, dry_run=True).versions


def test_answers_for_one_listener_are_those_of_the_table(store, library, plays):
    recommender = Recommender(library, plays)
    found = recommender.for_listener("listener07", 3)
    assert [row["rank"] for row in found] == [1, 2, 3]
    assert all(row["title"] and len(row["because"]) in (1, 2) for row in found)
    ref = recommend_all(store, RecommendConfig(plays=plays, k=4), library.embeddings_ref)
    stored = [row["track_id"] for row in store.read(ref).to_pylist() if row["listener_id"] == "listener07"]
    assert [row["track_id"] for row in found] == stored[:3]
    tastes = recommender.tastes_of("listener07")
    assert sum(taste["share"] for taste in tastes) == pytest.approx(1)


def test_copies_are_measured_with_what_they_copy(tmp_path):
    """Three tracks of the log are copies: their plays count for the others, and none is hidden beside its copy."""
    made = made_store(tmp_path / "store", 40, copies={37: 0, 38: 1, 39: 2})
    copied = Library(made, embeddings=made.require("embeddings"))
    plays = tmp_path / "plays.csv"
    rows = [f"l{i},t{(7 * i + 3 * j) % 40:02d}" for i in range(30) for j in range(12)]
    plays.write_text("\n".join(["listener_id,track_id", *rows]))
    document = measure_coldstart(copied, plays=str(plays))
    assert document["n_tracks"] == 37
    assert document["n_plays"] == len(rows)
    assert document["omitted"][0] == "3 copies of other tracks are left out"
    table = pa.table({"track_id": copied.tracks["track_id"], "label": ["jazz", "folk"] * 20, "tempo": np.arange(40.0)})
    pacsv.write_csv(table.slice(3), tmp_path / "truth.csv")
    document = measure_coldstart(copied, truth=str(tmp_path / "truth.csv"))
    assert document["n_tracks"] == 37  # a copy is not left out where the track itself is
    assert document["omitted"][0] == "3 tracks without truth are left out"


def test_audience_of_a_track_and_of_its_file(library, plays):
    recommender = Recommender(library, plays)
    row = next(row for row in library.tracks.to_pylist() if row["duplicate_of"] is None)
    track, listeners = recommender.audience(row["track_id"], 5)
    assert track["track_id"] == row["track_id"]
    assert [found["rank"] for found in listeners] == [1, 2, 3, 4, 5]
    scores = [found["score"] for found in listeners]
    assert scores == sorted(scores, reverse=True)
    copied = Path(plays).parent / f"unknown{Path(row['uri']).suffix}"
    shutil.copy(row["uri"], copied)
    track, listeners = recommender.audience(str(copied), 5)
    assert track["title"] == "unknown"
    assert len(listeners) == 5
    with pytest.raises(SearchError, match="no track 'nothing like it'"):
        recommender.audience("nothing like it", 5)


def test_vectors_that_a_file_lacks_are_estimated(library, tmp_path):
    ids = sorted(library.tracks["track_id"].to_pylist())
    vectors = np.random.default_rng(0).standard_normal((18, 4)).astype(np.float32)
    known, out = tmp_path / "known.npz", str(tmp_path / "out.parquet")
    np.savez(known, track_id=np.array([*ids[:17], "elsewhere"]), vector=vectors)
    n_known, n_estimated, held_out = estimate_vectors(library, str(known), out)
    assert (n_known, n_estimated, held_out.n) == (17, len(ids) - 17, 17)
    table = pq.read_table(out)
    assert sorted(table["track_id"].to_pylist()) == ids[17:]
    assert np.isfinite(np.array(table["vector"].to_pylist())).all()
    np.savez(known, track_id=np.array(["elsewhere"]), vector=vectors[:1])
    with pytest.raises(SearchError, match="none of its 1 tracks has an embedding, such as elsewhere"):
        estimate_vectors(library, str(known), out)
    np.savez(known, track_id=np.array([ids[0]] * 12), vector=vectors[:12])
    with pytest.raises(SearchError, match="11 tracks stand more than once"):
        estimate_vectors(library, str(known), out)


def test_measures_itself_on_simulated_and_on_given_plays(library, truth, plays):
    document = measure_coldstart(library, truth=truth, n_listeners=60)
    assert document["n_listeners"] == 60
    metrics = {metric["key"]: metric["subjects"] for metric in document["splits"]["tracks"]["metrics"]}
    assert set(metrics["nDCG@10"]) >= {"model and names", "model, sound alone", "MFCC, sound alone", "label", "random"}
    gain = {name: entry["value"] for name, entry in metrics["nDCG@10"].items()}
    assert gain["model and names"] > gain["random"] + 0.1
    json.dumps(document)
    given = measure_coldstart(library, plays=plays)
    assert given["log"] == plays
    assert set(given["splits"]) == {"tracks", "artists"}


def test_what_cannot_be_measured_is_said(library, truth, plays, tmp_path):
    with pytest.raises(EvaluationError, match="give either plays or truth"):
        measure_coldstart(library)
    with pytest.raises(EvaluationError, match="give either plays or truth"):
        measure_coldstart(library, truth=truth, plays=plays)
    unlabeled = tmp_path / "truth.csv"
    pacsv.write_csv(pa.table({"track_id": library.tracks["track_id"], "tempo": [1.0] * 24}), unlabeled)
    with pytest.raises(EvaluationError, match="wanted true_label or label"):
        measure_coldstart(library, truth=str(unlabeled))


def audioae(*arguments: str, store: Store) -> Result:
    return CliRunner().invoke(app, ["recommend", *arguments, "--store", store.root])


def test_commands(store, library, plays, truth, tmp_path):
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


def test_commands_say_what_was_left_out(store, library, tmp_path):
    plays = tmp_path / "mixed.csv"
    plays.write_text(f"listener_id,track_id\n007,nothing\n007,{library.tracks['track_id'][0].as_py()}\n8,nothing\n")
    run = audioae("tracks", "007", str(plays), store=store)
    assert "left out: 2 plays of tracks that have no embedding" in run.stdout
    assert "left out: 1 listeners who played nothing else" in run.stdout
    plays.write_text("listener_id,track_id\n007,nothing\n")
    run = audioae("tracks", "007", str(plays), store=store)
    assert isinstance(run.exception, SearchError)
    assert "none of its 1 plays is of a track with an embedding" in str(run.exception)
