"""Stored clips are read per track, shard by shard, in the order they were taken."""

from pathlib import Path

import numpy as np
import pytest

from audioae.pipeline.config import MelsConfig
from audioae.pipeline.stored_clips import iter_stored_clips, shards_of
from tests.stores import STARTS_S, made_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory):
    root: Path = tmp_path_factory.mktemp("stored")
    return made_store(root / "store", 6, indexed=False)


def test_reads_the_clips_of_the_wanted_tracks(store):
    tracks = store.require("tracks")
    shards = shards_of(store, tracks, {"t04", "t01", "nothing"})
    assert shards == {"t01": 0, "t04": 0}
    clips = dict(iter_stored_clips(store, tracks, MelsConfig(), shards))
    assert set(clips) == {"t01", "t04"}
    expected = np.random.default_rng(4).integers(0, 256, (len(STARTS_S), 128 * 130)).astype(np.uint8)
    assert np.array_equal(clips["t04"].codes.reshape(len(STARTS_S), -1), expected)
    assert clips["t04"].starts_s.tolist() == list(STARTS_S)
    assert clips["t04"].peak_db.tolist() == [-3.0] * len(STARTS_S)


def test_mels_that_are_not_stored_are_left_out(store):
    other = MelsConfig.model_validate({"clips": {"max_clips": 3}})
    tracks = store.require("tracks")
    assert list(iter_stored_clips(store, tracks, other, shards_of(store, tracks, ["t01"]))) == []
