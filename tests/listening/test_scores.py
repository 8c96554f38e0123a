"""Answers scored with a store: today's embeddings, MFCC of the same tracks, and what is said beside the figures."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from audioae.api import Library
from audioae.cli import app
from audioae.errors import EvaluationError
from audioae.listening.answers import read_answers
from audioae.listening.scores import score_answers
from audioae.listening.triplets import draw_triplets
from audioae.store.dataset import Store
from tests.listening.made_answers import answers, trial, written
from tests.stores import made_store

N = 40


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return made_store(tmp_path_factory.mktemp("listening"), N)


@pytest.fixture(scope="module")
def vectors(store: Store) -> dict[str, np.ndarray]:
    table = store.read(store.require("embeddings"), ["track_id", "embedding"])
    return dict(zip(table["track_id"].to_pylist(), np.array(table["embedding"].to_pylist()), strict=True))


def answered(vectors: dict[str, np.ndarray], n_wrong: int, session: str = "one") -> dict:
    """Answers of a person who agrees with the embedding but in the first trials, and fails no catch trial."""
    ids = [*vectors]
    stacked = np.stack([vectors[track] for track in ids]).astype(np.float32)
    drawn = draw_triplets(stacked, np.arange(N), np.arange(N), np.full(N, 30.0), 20)
    drawn.sort(key=lambda one: (one.repeated, one.difficulty == "catch"))
    trials = [trial(ids[t.x.row], ids[t.a.row], ids[t.b.row], t.difficulty, t.repeated) for t in drawn]
    closer = ["a" if (stacked[[t.a.row, t.b.row]] @ stacked[t.x.row]).argmax() == 0 else "b" for t in drawn]
    choices = ["ab"[choice == "a"] if i < n_wrong else choice for i, choice in enumerate(closer)]
    return answers(trials, "".join(choices), session=session)


def test_the_document_has_the_known_agreement_and_names_both_versions(store: Store, vectors, tmp_path: Path):
    files = read_answers(written(tmp_path, answered(vectors, 5), answered(vectors, 5, "two")))
    document = score_answers(Library(store), files)
    rows = {(row["vectors"], row["difficulty"]): row for row in document["agreement"]}
    assert (rows["model", "all"]["value"], rows["model", "all"]["n"]) == (15 / 20, 40)
    assert rows["model", "all"]["verdict"] == "above chance"
    assert 0 <= rows["MFCC", "all"]["value"] <= 1
    assert [row["against"] for row in document["compared"]] == ["MFCC"]
    assert document["between_listeners"]["value"] == 1.0
    assert {row["catch_failed"] for row in document["listeners"]} == {0}
    assert document["embeddings"] == str(store.require("embeddings"))
    assert document["sentences"][0] == (
        f"the trials were drawn with embeddings@old; agreement is that of {document['embeddings']}"
    )
    assert "2 of at least 5 listeners" in document["sentences"][1]
    assert json.dumps(document)


def test_tracks_that_are_gone_leave_out_their_answers(store: Store, vectors, tmp_path: Path):
    made = answered(vectors, 0)
    made["trials"][0]["a"] = made["trials"][0]["a"] | {"track_id": "gone"}
    document = score_answers(Library(store), read_answers(written(tmp_path, made)), with_baseline=False)
    assert document["agreement"][0]["n"] == 19
    assert document["omitted"] == ["1 of 20 answers: 1 tracks have no embedding in this version"]
    other = answers([trial("no", "such", "track")], "a")
    with pytest.raises(EvaluationError, match="none of the 3 tracks of the answers; name the --store"):
        score_answers(Library(store), read_answers(written(tmp_path, other)))


def test_the_command_prints_figures_and_what_they_mean(store: Store, vectors, tmp_path: Path):
    failed = answered(vectors, 0)
    for answer in failed["answers"]:
        if failed["trials"][answer["trial"]]["difficulty"] == "catch":
            answer["choice"] = "ab"[answer["choice"] == "a"]
    paths = written(tmp_path, failed)
    done = CliRunner().invoke(app, ["listen", "score", *paths, "--store", store.root, "--no-baseline"])
    assert done.exception is None, repr(done.exception)
    printed = " ".join(done.stdout.split())
    assert "one failed 3 of 3 catch trials; consider leaving this file out" in printed
    assert "too few answers to tell" in printed
    assert "agreement between listeners: no two answered the same trial" in printed
