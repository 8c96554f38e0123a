"""Offline evaluation of recommendations, on simulated and given plays."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from audioae.api import Library
from audioae.errors import EvaluationError
from audioae.recommend.offline_eval import evaluate_offline
from tests.stores import made_store


def test_evaluates_simulated_and_given_plays(library, truth, plays):
    document = evaluate_offline(library, truth=truth, n_listeners=60)
    assert document["n_listeners"] == 60
    metrics = {metric["key"]: metric["results"] for metric in document["splits"]["tracks"]["metrics"]}
    assert set(metrics["nDCG@10"]) >= {"model and names", "model, sound alone", "MFCC, sound alone", "label", "random"}
    gain = {name: entry["value"] for name, entry in metrics["nDCG@10"].items()}
    assert gain["model and names"] > gain["random"] + 0.1
    json.dumps(document)
    given = evaluate_offline(library, plays=plays)
    assert given["log"] == plays
    assert set(given["splits"]) == {"tracks", "artists"}


def test_never_hides_a_track_whose_copy_is_known(tmp_path):
    """Three tracks of the log are copies: their plays count for the tracks that they copy."""
    store = made_store(tmp_path / "store", 40, copies={37: 0, 38: 1, 39: 2})
    library = Library(store, embeddings=store.require("embeddings"))
    plays = tmp_path / "plays.csv"
    rows = [f"l{i},t{(7 * i + 3 * j) % 40:02d}" for i in range(30) for j in range(12)]
    plays.write_text("\n".join(["listener_id,track_id", *rows]))
    document = evaluate_offline(library, plays=str(plays))
    assert document["n_tracks"] == 37
    assert document["n_plays"] == len(rows)
    assert document["omitted"][0] == "3 copies of other tracks"
    table = pa.table({"track_id": library.tracks["track_id"], "label": ["jazz", "folk"] * 20, "tempo": np.arange(40.0)})
    pacsv.write_csv(table.slice(3), tmp_path / "truth.csv")
    document = evaluate_offline(library, truth=str(tmp_path / "truth.csv"))
    assert document["n_tracks"] == 37, "a copy stays if the track that it copies has no truth"
    assert document["omitted"][0] == "3 tracks without truth"


def test_refuses_missing_and_unusable_input(library, truth, plays, tmp_path):
    with pytest.raises(EvaluationError, match="needs either a play log"):
        evaluate_offline(library)
    with pytest.raises(EvaluationError, match="needs either a play log"):
        evaluate_offline(library, truth=truth, plays=plays)
    unlabeled = tmp_path / "truth.csv"
    pacsv.write_csv(pa.table({"track_id": library.tracks["track_id"], "tempo": [1.0] * 24}), unlabeled)
    with pytest.raises(EvaluationError, match="wanted true_label or label"):
        evaluate_offline(library, truth=str(unlabeled))
