"""The stage train: when a model is trained again, which clips it gets, and which tracks are held out."""

import numpy as np
import pytest

from audioae.errors import StoreError
from audioae.pipeline import train
from audioae.pipeline.train import held_out_ids, load_clips, train_model
from audioae.store.dataset import Store
from audioae.store.schemas import MELS
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


def test_max_clips_takes_the_first_whole_shards(chain):
    store, _ = chain
    mels = store.require("mels")
    sizes = [table.num_rows for table in store.iter_parts(mels)]
    for max_clips, n_shards in ((1, 1), (sizes[0], 1), (sum(sizes[:2]) + 1, 2), (10**6, len(sizes))):
        clips, track_ids = load_clips(store, mels, max_clips)
        assert len(clips.codes) == sum(sizes[:n_shards])
        assert set(clips.track.tolist()) == set(range(len(track_ids)))


def test_mels_without_clips_are_an_error(tmp_path):
    store = Store(str(tmp_path / "store"))
    store.write_part("mels", "000000-empty", MELS.empty_table())
    mels = store.commit("mels", ["000000-empty"], recipe="empty", config={})
    with pytest.raises(StoreError, match="holds no clips to train on; `audioae coverage` shows"):
        load_clips(store, mels, 100)


def test_held_out_ids_are_the_tracks_that_training_held_out(chain):
    store, config = chain
    clips, track_ids = load_clips(store, store.require("mels"), config.train.max_clips)
    _, held_rows = clips.split(config.train.held_out)
    expected = set(track_ids[np.unique(clips.track[held_rows])].tolist())
    assert held_out_ids(store, store.require("model")) == expected
    assert 0 < len(expected) < 24


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
