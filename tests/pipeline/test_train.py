"""The stage train: when a model is trained again, what a run says, and what is published."""

import pytest

from audioae.pipeline import train
from audioae.pipeline.drift import DriftReport, commit_drift
from audioae.pipeline.train import train_model
from audioae.pipeline.training_clips import held_out_ids
from audioae.store.dataset import Store
from tests.chain import copy_datasets


class Trained(Exception):  # noqa: N818 - marks that training has started
    pass


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*arguments, **options):
        raise Trained

    monkeypatch.setattr(train, "fit", fit)


@pytest.mark.usefixtures("no_training")
def test_the_same_recipe_is_trained_only_once(chain):
    store, config = chain
    assert train_model(store, config.model, config.train, store.require("mels")) == store.require("model")
    with pytest.raises(Trained):
        train_model(store, config.model, config.train.model_copy(update={"seed": 1}), store.require("mels"))


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("n_tracks_before", "kept"), [(24, True), (17, True), (16, False), (1, False), (60, True), (2_400, True)]
)
def test_a_model_is_kept_until_the_catalog_has_grown_by_retrain_growth(chain, tmp_path, n_tracks_before, kept):
    """The catalog has 24 tracks now; the default `retrain_growth` is 0.5. A catalog that shrinks keeps its model."""
    finished, config = chain
    store = Store(str(tmp_path / "store"))
    copy_datasets(finished, store, "tracks", "mels", "model")
    model = store.manifest(store.require("model"))
    older = store.publish(model.model_copy(update={"config": {**model.config, "n_tracks": n_tracks_before}}))
    mels = store.publish(store.manifest(store.require("mels")).model_copy(update={"recipe": "grown"}))
    if kept:
        assert train_model(store, config.model, config.train, mels) == older
    else:
        with pytest.raises(Trained):
            train_model(store, config.model, config.train, mels)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("retrain", "n_tracks_before", "drifted", "kept"),
    [
        ("never", 12, True, True),
        ("drift", 12, False, False),
        ("drift", 20, True, False),
        ("drift", 20, False, True),
        ("auto", 20, True, True),
    ],
)
def test_a_model_is_trained_again_by_the_rule_of_train_retrain(
    chain, tmp_path, retrain, n_tracks_before, drifted, kept
):
    """The catalog has 24 tracks now."""
    finished, config = chain
    store = Store(str(tmp_path / "store"))
    copy_datasets(finished, store, "tracks", "mels", "model", "embeddings")
    model = store.manifest(store.require("model"))
    older = store.publish(model.model_copy(update={"config": {**model.config, "n_tracks": n_tracks_before}}))
    mels = store.publish(store.manifest(store.require("mels")).model_copy(update={"recipe": "grown"}))
    commit_drift(store, DriftReport(str(older), str(store.require("embeddings")), retrain=drifted))
    settings = config.train.model_copy(update={"retrain": retrain})
    if kept:
        assert train_model(store, config.model, settings, mels) == older
    else:
        with pytest.raises(Trained):
            train_model(store, config.model, settings, mels)


@pytest.mark.usefixtures("no_training")
def test_when_to_train_again_is_no_setting_of_the_training(chain):
    store, config = chain
    for changed in ({"retrain_growth": 0.7}, {"retrain": "never"}, {"retrain": "drift"}):
        settings = config.train.model_copy(update=changed)
        assert train_model(store, config.model, settings, store.require("mels")) == store.require("model")


def test_new_settings_at_their_default_are_not_part_of_a_recipe(chain):
    """Stores and checkpoints of older versions do not have them."""
    _, config = chain
    assert not {"num_nodes", "retrain"} & set(config.train.model_dump(mode="json"))
    other = config.train.model_copy(update={"retrain": "never", "num_nodes": 2})
    assert other.model_dump(mode="json") == {**config.train.model_dump(), "retrain": "never", "num_nodes": 2}


def test_a_run_says_how_many_steps_it_makes_and_for_how_long(chain, tmp_path):
    finished, config = chain
    store = Store(str(tmp_path / "store"))
    copy_datasets(finished, store, "tracks", "mels")
    said, steps = [], []
    short = config.train.model_copy(update={"steps": 9, "batch_size": 2, "log_every": 3})
    model = config.model.model_copy(update={"channels": (2, 2)})
    mels = store.require("mels")
    train_model(store, model, short, mels, say=said.append, on_progress=lambda *step: steps.append(step))
    n_clips = store.manifest(mels).rows
    assert said[0] == f"training on {n_clips} clips: 9 steps of 2 clips"
    assert said[1].startswith("training: 3 more steps take about ")
    assert len(said) == 2
    assert {step[:2] for step in steps} == {(3, 9), (5, 9), (6, 9), (9, 9)}
    assert {step[2].split()[0] for step in steps} == {"train", "held_out"}


def test_a_stream_is_trained_on_and_says_so(chain, tmp_path):
    finished, config = chain
    store = Store(str(tmp_path / "store"))
    copy_datasets(finished, store, "tracks", "mels")
    mels = store.require("mels")
    short = config.train.model_copy(update={"steps": 6, "batch_size": 8, "max_clips": None})
    model = config.model.model_copy(update={"channels": (2, 2)})
    said: list[str] = []
    ref = train_model(store, model, short, mels, say=said.append)
    assert said[0] == f"training on {store.manifest(mels).rows} clips (streamed from the store): 6 steps of 8 clips"
    assert store.manifest(ref).config["clips"] == "stream"
    assert held_out_ids(store, ref)
    assert train_model(store, model, short, mels) == ref
