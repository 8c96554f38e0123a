"""Comparisons of models with one budget: baselines, seeds, folds, and resuming."""

from pathlib import Path

import numpy as np
import pytest

from audioae.config import parse_config
from audioae.errors import ConfigError, EvaluationError
from audioae.evaluation.compare_models import _embed_tracks, compare_models, parse_budget
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.train_config import TrainConfig
from audioae.pipeline.embed import load_embedder
from audioae.pipeline.index import read_embeddings
from audioae.pipeline.training_clips import load_clips
from audioae.store.dataset import Store

TRAIN = TrainConfig(steps=3, batch_size=16, validate_every=3)
MODELS = {
    "plain": {"channels": [4, 4, 4, 4], "bottleneck": {"kind": "linear"}, "terms": [{"kind": "mse"}], "augment": None},
    "pca": {"kind": "pca"},
}


@pytest.fixture(scope="module")
def models() -> dict[str, ModelConfig]:
    return {name: parse_config(ModelConfig, settings, where=name) for name, settings in MODELS.items()}


@pytest.fixture(scope="module")
def compared(chain, models, tiny_audio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    truth = str(tiny_audio / "truth.csv")
    document = compare_models(chain[0], models, TRAIN, seeds=2, truth=truth, folder=folder)
    return document, folder


def test_compares_every_model_and_baseline(compared):
    document, _ = compared
    results = document["metrics"][0]["results"]
    assert list(results)[:2] == ["plain", "pca"]
    assert {"MFCC", "random convolutions"} <= set(results)
    assert [(run["model"], run["seed"]) for run in document["runs"]] == [
        ("plain", 0),
        ("plain", 1),
        ("pca", 0),
        ("pca", 1),
    ]
    assert document["runs"][0]["steps"] == 3


def test_value_is_the_mean_over_the_seeds(compared):
    for metric in compared[0]["metrics"]:
        if metric["key"].startswith(("mAP", "kNN", "P@")):
            entry = metric["results"]["plain"]
            assert entry["value"] == pytest.approx(np.mean(entry["seeds"]))
    first = compared[0]["metrics"][0]["results"]["plain"]["seeds"]
    assert first[0] != first[1]


def test_the_vectors_of_a_comparison_are_those_that_a_pipeline_publishes(chain):
    store, _ = chain
    embeddings = store.require("embeddings")
    clips, names = load_clips(store, store.require("mels"), max_clips=10_000)
    embedder = load_embedder(store, store.manifest(embeddings).parent("model"), "cpu")
    table = read_embeddings(store, embeddings)
    published = table.embeddings[table.rows_of(names.astype(str).tolist())]
    np.testing.assert_allclose(_embed_tracks(embedder, clips), published, atol=1e-5)
    mixed = np.random.default_rng(0).permutation(len(clips.codes))
    shuffled = ClipSet(clips.codes[mixed], clips.peak_db[mixed], clips.track[mixed])
    np.testing.assert_allclose(_embed_tracks(embedder, shuffled), published, atol=1e-5)


def test_second_run_trains_nothing_and_gives_the_same_document(chain, models, compared, tiny_audio, monkeypatch):
    document, folder = compared

    def fail(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr("audioae.evaluation.compare_models.fit", fail)
    truth = str(tiny_audio / "truth.csv")
    assert compare_models(chain[0], models, TRAIN, seeds=2, truth=truth, folder=folder) == document


def test_publishes_nothing(chain, models, tmp_path: Path):
    store: Store = chain[0]
    before = [str(ref) for name in ("model", "embeddings") for ref, _ in store.versions(name)]
    compare_models(store, {"pca": models["pca"]}, TRAIN, seeds=1, folder=tmp_path)
    assert [str(ref) for name in ("model", "embeddings") for ref, _ in store.versions(name)] == before


def test_inductive_needs_folds(chain, models, tmp_path: Path):
    with pytest.raises(EvaluationError, match=r"inductive: got 0 folds.*split"):
        compare_models(chain[0], models, TRAIN, inductive=True, folder=tmp_path)


def test_inductive_trains_without_the_evaluated_fold(chain, models, tmp_path: Path, monkeypatch):
    from audioae.evaluation import compare_models as module

    real, trained = module.vectors_from_store, []

    def with_folds(*arguments):
        tracks = real(*arguments)
        tracks.metadata.folds[:] = [str(i % 2) for i in range(tracks.metadata.n)]
        return tracks

    fit = module.fit
    monkeypatch.setattr(module, "vectors_from_store", with_folds)
    monkeypatch.setattr(module, "fit", lambda m, c, clips, **k: trained.append(set(clips.track)) or fit(m, c, clips))
    document = compare_models(chain[0], {"pca": models["pca"]}, TRAIN, seeds=1, inductive=True, folder=tmp_path)
    assert [run["fold"] for run in document["runs"]] == ["0", "1"]
    assert trained[0].isdisjoint(trained[1])
    assert len(trained[0] | trained[1]) == document["n_tracks"]
    keys = [metric["key"] for metric in document["metrics"]]
    assert any(key.startswith("linear probe") for key in keys)
    assert not any("occurrence" in key for key in keys)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5m", {"steps": 1_000_000, "max_minutes": 5.0}), ("1.5h", {"steps": 1_000_000, "max_minutes": 90.0})],
)
def test_parses_budgets(text, expected):
    assert parse_budget(text) == expected


@pytest.mark.parametrize("text", ["5", "m", "-3m", "5 parsecs", ""])
def test_refuses_other_budgets(text):
    with pytest.raises(ConfigError, match="wanted a duration such as 5m"):
        parse_budget(text)
