"""Drift: another kind of music alarms, more of the same kind does not; reports are kept and found again."""

import json

import pytest

from audioae.errors import StoreError
from audioae.pipeline import drift_sample
from audioae.pipeline.drift import commit_drift, last_drift, measure_drift, update_drift
from audioae.pipeline.drift_sample import sample_tracks
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from tests.pipeline.drifting import TRAINED, make_store


def measure(root, new, **options):
    store, embeddings = make_store(str(root / "store"), new, **options)
    return store, measure_drift(store, embeddings, store.manifest(embeddings).parent("model"))


@pytest.mark.parametrize("seed", range(5))
def test_more_of_the_same_kind_of_music_is_no_drift(tmp_path, seed):
    _, report = measure(tmp_path, [("tones", 100 + seed, 10), ("tones", 200 + seed, 8)])
    assert report.alarms == ()
    assert not report.retrain
    assert (report.n_training, report.n_new) == (320, 72)
    assert (report.sampled_training, report.sampled_new) == (320, 72)
    assert report.facts()["error_share"] < 0.1
    assert report.summary == f"no drift: 72 tracks that came since the training of {report.model} are like those before"


@pytest.mark.parametrize("seed", range(5))
def test_another_kind_of_music_is_drift(tmp_path, seed):
    _, report = measure(tmp_path, [("noise", 100 + seed, 10), ("noise", 200 + seed, 8)])
    assert report.retrain
    facts = report.facts()
    assert facts["auroc"] > 0.9
    assert facts["p"] == 1 / 200
    assert facts["mmd"] > facts["mmd_usual"]
    assert facts["error_share"] > 0.5
    assert "of the new tracks are reconstructed worse than" in report.summary
    assert "differ from the training's" in report.summary
    assert report.summary.endswith("train again (train.retrain: drift does so in the next run)")


def test_few_new_tracks_say_nothing(tmp_path):
    _, report = measure(tmp_path, [("noise", 100, 7)])  # 28 tracks
    assert (report.n_new, report.alarms, report.retrain, report.mmd) == (28, (), False, None)
    assert report.summary.startswith("no drift measured: 28 tracks came since")


def test_a_single_new_artist_is_not_confirmed(tmp_path, monkeypatch):
    monkeypatch.setattr("audioae.pipeline.drift.FEWEST_NEW", 4)
    _, report = measure(tmp_path, [("noise", 100, 1)])
    assert report.auroc is None
    assert not report.retrain
    if report.alarms:
        assert report.alarms[-1].startswith("all new tracks are of one artist")


def test_nothing_new_is_no_drift(tmp_path):
    _, report = measure(tmp_path, [])
    assert (report.n_new, report.sampled_new, report.alarms) == (0, 0, ())


def test_rejects_alarm_but_are_no_reason_to_train_again(tmp_path):
    new = [("tones", 100, 10), ("tones", 200, 8)]
    _, report = measure(tmp_path, new, rejected={0: 1, 3: 1, TRAINED: 12, TRAINED + 1: 6})
    assert report.reject_share == 0.25
    assert report.usual_reject_share == 2 / 320
    assert report.reasons == {"silent": 18}
    assert report.alarms == ("25.0% of the new tracks were rejected (silent 18), 0.6% before: look at the source",)
    assert not report.retrain


def test_samples_are_bounded_and_of_whole_artists(tmp_path, monkeypatch):
    monkeypatch.setattr(drift_sample, "MOST_SHARDS", 4)
    store, embeddings = make_store(str(tmp_path / "store"), [("tones", 100 + i, 10) for i in range(6)])
    read = []
    original = store.read_part
    monkeypatch.setattr(store, "read_part", lambda *arguments: read.append(arguments[:2]) or original(*arguments))
    model = store.manifest(embeddings).parent("model")
    trained = store.manifest(store.manifest(model).parent("mels")).parent("tracks")
    training, new = sample_tracks(store, embeddings, trained, 40, 40)
    assert (training.n_tracks, new.n_tracks) == (320, 240)
    assert len(training.errors) == len(new.errors) == 48  # 12 of each of 4 shards: three artists
    assert len(read) == len(set(read)) == 2 * 4 * 3
    sizes = [(training.artists == artist).sum() for artist in set(training.artists)]
    assert set(sizes) == {4}


def test_a_report_is_published_and_found_by_its_model(tmp_path):
    store, report = measure(tmp_path, [("noise", 100, 10)])
    ref = commit_drift(store, report)
    assert ref.dataset == "drift"
    assert commit_drift(store, report) == ref
    model = store.require("model")
    assert last_drift(store, model) == report
    assert last_drift(store, ref) is None
    facts = report.facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["alarms"] == len(report.alarms) == 3


def test_embeddings_of_another_model_are_an_error(tmp_path):
    store, _ = measure(tmp_path, [])
    embeddings = store.require("embeddings")
    with pytest.raises(StoreError, match=r"were made by model@.*, not by embeddings@.*; embed with the model first"):
        measure_drift(store, embeddings, embeddings)


def test_a_report_is_measured_once(tmp_path, monkeypatch):
    store, embeddings = make_store(str(tmp_path / "store"), [("tones", 100, 10)])
    report = update_drift(store, embeddings)
    assert report.sampled_new == 40
    monkeypatch.setattr("audioae.pipeline.drift.measure_drift", None)
    assert update_drift(store, embeddings) == report


def test_a_store_without_the_catalog_of_the_training_cannot_tell(tmp_path):
    store, embeddings = make_store(str(tmp_path / "store"), [("tones", 100, 10)])
    mels = store.manifest(store.manifest(embeddings).parent("model")).parent("mels")
    store.storage.delete(f"mels/versions/{mels.version}.json")
    report = update_drift(Store(store.root), embeddings)
    assert report.summary.startswith("no drift measured: ")
    assert not report.retrain
    assert last_drift(store, DatasetRef.parse(report.model)) == report
