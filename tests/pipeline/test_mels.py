"""The stage mels: a sample of shards is enough to train on."""

from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.mels import commit_mels, compute_mels, pending_mels, plan_mels
from audioae.store.dataset import Store
from tests.chain import copy_datasets


def test_max_stored_tracks_stores_a_sample_of_whole_shards(chain, tmp_path):
    store, config = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks")
    tracks = other.require("tracks")
    sample = MelsConfig(max_stored_tracks=9, clips=config.mels.clips, decode=config.mels.decode)
    chosen = plan_mels(other, sample, tracks)
    assert len(chosen) == 2
    compute_mels(other, sample, tracks, pending_mels(other, sample, tracks), Workers(1))
    ref = commit_mels(other, sample, tracks, max_reject_rate=0.0)
    assert len(set(other.read(ref, ["track_id"])["track_id"].to_pylist())) == 8
    assert pending_mels(other, sample, tracks) == []


def test_parts_do_not_depend_on_blocks_or_workers(chain, tmp_path, monkeypatch):
    store, config = chain
    tracks = store.require("tracks")
    for block, workers in ((1, 2), (3, 1)):
        monkeypatch.setattr("audioae.pipeline.clips.BLOCK_TRACKS", block)
        other = Store(str(tmp_path / f"{block}"))
        copy_datasets(store, other, "tracks")
        compute_mels(other, config.mels, tracks, pending_mels(other, config.mels, tracks), Workers(workers))
        for dataset in ("mels", "health", "rejects"):
            parts = other.storage.list(f"{dataset}/parts")
            assert len(parts) == 6
            assert {key: other.storage.read(key) for key in parts} == {key: store.storage.read(key) for key in parts}
