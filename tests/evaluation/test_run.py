"""Evaluations of a store and of files of vectors."""

import json
import shutil

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import EvaluationError
from audioae.evaluation.run import Evaluation, evaluate_file, evaluate_store
from audioae.library.export import export_embeddings
from audioae.pages.evaluation_page import render_page


@pytest.fixture(scope="module")
def evaluated(chain, tiny_audio, tmp_path_factory) -> tuple[Evaluation, Library, list[str]]:
    store, _ = chain
    library = Library(store)
    folder = tmp_path_factory.mktemp("evaluated")
    ids = store.read(library.embeddings_ref, ["track_id"])["track_id"].to_pylist()
    rng = np.random.default_rng(0)
    other = folder / "other.npz"
    np.savez(other, id=np.array(ids[:-2]), vector=rng.normal(size=(len(ids) - 2, 8)).astype(np.float32))
    steps: list[str] = []
    result = evaluate_store(
        library,
        truth=str(tiny_audio / "truth.csv"),
        against=[str(other)],
        robustness_tracks=2,
        progress=lambda what, done, total: steps.append(what),
    )
    return result, library, steps


def test_document_has_every_metric_of_every_baseline(evaluated):
    document = evaluated[0].document
    metrics = {metric["key"]: metric for metric in document["metrics"]}
    expected = {"model", "other.npz", "MFCC", "librosa features", "PCA of mels", "random convolutions"}
    assert expected <= set(metrics["mAP by label"]["results"])
    assert {"model", "MFCC"} <= set(metrics["same-track retrieval"]["results"])
    assert "unexplained variance" in document["reconstruction"][0]["key"]
    assert document["codebook"]["size"] > 1
    assert {row["perturbation"] for row in document["robustness"]} >= {"mp3 128 kb/s", "shift 1,200 ms"}
    assert document["hubs"] or "hubness" in " ".join(document["omitted"])
    numbers = [entry["value"] for metric in metrics.values() for entry in metric["results"].values()]
    assert np.isfinite(numbers).all()
    assert json.loads(json.dumps(document)) == document


def test_reports_what_was_omitted(evaluated):
    document = evaluated[0].document
    assert f"2 of {document['n_tracks'] + 2} tracks have no vector in other.npz" in document["omitted"]
    assert any(sentence.startswith("linear probe (2 stratified folds") for sentence in document["omitted"])
    assert any(sentence.startswith("R2 of tempo_bpm: known values: 22, 30 are") for sentence in document["omitted"])


def test_progress_names_the_steps(evaluated):
    assert {"clips", "audio", "baselines", "robustness"} <= set(evaluated[2])


def test_page_is_one_file_with_audio(evaluated):
    page = render_page(evaluated[0].page)
    assert page.lower().startswith("<!doctype html>")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert len(evaluated[0].page.clips) == evaluated[0].page.metadata.n


def test_exported_vectors_have_the_same_metrics(evaluated, tmp_path):
    library = evaluated[1]
    path = tmp_path / "exported.parquet"
    export_embeddings(library.store, str(path))
    found = {metric["key"]: metric["results"] for metric in evaluate_file(str(path)).document["metrics"]}
    ids = library.store.read(library.embeddings_ref, ["track_id"])["track_id"].to_pylist()
    assert evaluate_file(str(path)).page.metadata.n == len(ids)
    assert set(found["mAP by label"]) == {"exported.parquet"}
    assert found["mAP by label"]["exported.parquet"]["value"] == pytest.approx(
        evaluate_store(library, robustness_tracks=0).document["metrics"][0]["results"]["model"]["value"], abs=1e-6
    )


def test_names_estimates_when_there_is_no_truth(chain):
    document = evaluate_store(Library(chain[0]), robustness_tracks=0, max_tracks=12).document
    sentences = " ".join(document["omitted"])
    assert "instrumentalness: no truth given" in sentences
    assert "evaluated on 12 of" in sentences
    assert "R2 of tempo: known values: 12" in sentences


def test_refuses_vectors_of_other_tracks(chain, tmp_path):
    np.savez(tmp_path / "other.npz", id=np.array(["x", "y"]), vector=np.eye(2, dtype=np.float32))
    with pytest.raises(EvaluationError, match=r"other.npz: none of its 2 IDs"):
        evaluate_store(Library(chain[0]), against=[str(tmp_path / "other.npz")], robustness_tracks=0)


def test_reports_tracks_whose_audio_is_missing(chain, tmp_path):
    store, config = chain
    catalog = tmp_path / "catalog"
    shutil.copytree(config.catalog.source, catalog)
    root = tmp_path / "store"
    from tests.chain import run_chain

    moved = config.model_copy(
        update={"store": str(root), "catalog": config.catalog.model_copy(update={"source": str(catalog)})}
    )
    run_chain(moved)
    shutil.rmtree(catalog)
    document = evaluate_store(Library(type(store)(str(root))), robustness_tracks=0).document
    assert any("cannot be read any more" in sentence for sentence in document["omitted"])
    assert "librosa features" not in document["metrics"][0]["results"]
    assert "MFCC" in document["metrics"][0]["results"]
