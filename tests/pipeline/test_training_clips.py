"""Which clips a training gets: all, a sample of tracks of all shards, or a stream; and which tracks are held out."""

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from audioae.errors import DamageError, StoreError
from audioae.pipeline import training_clips
from audioae.pipeline.training_clips import (
    choose_tracks,
    free_memory,
    hash_column,
    hash_ids,
    held_out_ids,
    kind_of_clips,
    load_clips,
)
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.schemas import MELS
from tests.pipeline.made_mels import commit_mels, mels_of

GOLDEN = Path(__file__).parent.parent / "golden" / "v1"


def test_all_clips_come_in_the_order_of_the_store(tmp_path):
    store = Store(str(tmp_path / "store"))
    mels = commit_mels(store, 3, tracks_per_shard=10, clips_per_track=4)
    clips, names = load_clips(store, mels, 120)
    table = store.read(mels)
    assert clips.track.tolist() == np.repeat(np.arange(30), 4).tolist()
    assert names.tolist() == sorted(set(table["track_id"].to_pylist()))
    assert np.array_equal(clips.codes[57], mels_of(table.slice(57, 1))[0])
    assert clips.peak_db.tolist() == table["peak_db"].to_pylist()


def test_a_sample_has_whole_tracks_of_all_shards(tmp_path):
    store = Store(str(tmp_path / "store"))
    mels = commit_mels(store, 20, tracks_per_shard=50, clips_per_track=4)
    clips, names = load_clips(store, mels, 800)
    assert 796 <= len(clips.codes) <= 800
    assert (np.bincount(clips.track) == 4).all()
    shards = [int(name[1:3]) for name in names]
    assert set(shards) == set(range(20))
    assert np.bincount(shards).max() < 25
    rows = {row["track_id"]: row for row in store.read(mels, ["track_id", "peak_db"]).to_pylist()}
    assert clips.peak_db[::4].tolist() == [rows[name]["peak_db"] for name in names]


def test_the_codes_of_a_sample_are_those_of_its_tracks(tmp_path):
    store = Store(str(tmp_path / "store"))
    mels = commit_mels(store, 2, tracks_per_shard=500, clips_per_track=3)  # a shard has two groups
    clips, names = load_clips(store, mels, 100)
    table = store.read(mels)
    mask = np.isin(table["track_id"].to_numpy(), names)
    assert np.array_equal(clips.codes, mels_of(table)[mask])
    assert names[clips.track].tolist() == table["track_id"].to_numpy()[mask].tolist()


def test_a_grown_catalog_keeps_the_part_of_its_sample_that_still_fits(tmp_path):
    small, large = Store(str(tmp_path / "small")), Store(str(tmp_path / "large"))
    before = set(load_clips(small, commit_mels(small, 10, 50, 4), 400)[1].tolist())
    after = set(load_clips(large, commit_mels(large, 11, 50, 4), 400)[1].tolist())
    kept = {name for name in after if int(name[1:3]) < 10}
    assert kept <= before
    assert len(kept) > 80


def test_a_part_in_one_large_row_group_gives_the_same_sample(tmp_path, monkeypatch):
    new, old = Store(str(tmp_path / "new")), Store(str(tmp_path / "old"))
    expected = load_clips(new, commit_mels(new, 2, 500, 3), 100)[0]
    monkeypatch.setitem(__import__("audioae.store.parquet", fromlist=["x"]).GROUP_ROWS, "mels", 1 << 20)
    mels = commit_mels(old, 2, 500, 3)
    clips = load_clips(old, mels, 100)[0]
    assert np.array_equal(clips.codes, expected.codes)


def test_a_sample_of_the_mels_of_version_1_has_the_same_clips(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "store")
    store = Store(str(tmp_path / "store"))
    mels = store.require("mels")
    table = store.read(mels)
    clips, names = load_clips(store, mels, mels_of(table).shape[0] - 1)
    mask = np.isin(table["track_id"].to_numpy(), names)
    assert 0 < len(clips.codes) == mask.sum() < table.num_rows
    assert np.array_equal(clips.codes, mels_of(table)[mask])


def test_memory_holds_the_clips_once(tmp_path):
    store = Store(str(tmp_path / "store"))
    mels = commit_mels(store, 4, tracks_per_shard=1024, clips_per_track=2)
    tracemalloc.start()
    clips, _ = load_clips(store, mels, 10_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert clips.codes.nbytes == 8192 * 16640
    assert peak < clips.codes.nbytes + 4 * 1024 * 16640  # a few groups, however many clips there are


def test_choosing_reads_no_mels(tmp_path, monkeypatch):
    store = Store(str(tmp_path / "store"))
    mels = commit_mels(store, 4, 50, 4)
    read = []
    original = training_clips.open_mels

    def opened(*arguments):
        read.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(training_clips, "open_mels", opened)
    assert choose_tracks(store, mels, 800).limit is None
    assert not read
    monkeypatch.setattr(training_clips, "mel_codes", None)
    assert choose_tracks(store, mels, 100).n_clips == 100
    assert choose_tracks(store, mels, 2).n_clips == 4  # at least one track


def test_hashes_do_not_depend_on_what_stands_beside_a_string():
    ids = ["a", "", "track 8 ", "a longer one than eight bytes", "é", "a" * 16, "a" * 17]
    together = hash_ids(pa.array(ids))
    assert together.tolist() == [hash_ids(pa.array([one])).item() for one in ids]
    assert len(set(together.tolist())) == len(ids)
    assert hash_ids(pa.array(["x", *ids]).slice(1)).tolist() == together.tolist()
    assert hash_ids(pa.array([], pa.string())).tolist() == []
    column = pa.chunked_array([["a", "a"], ["b"], []], pa.string())
    assert hash_column(column).tolist() == hash_ids(pa.array(["a", "a", "b"])).tolist()
    assert hash_column(pa.chunked_array([], pa.string())).tolist() == []


def test_hashes_are_uniform():
    hashes = hash_ids(pa.array([f"{i:016x}" for i in range(20_000)]))
    counts = np.histogram(hashes / 2.0**64, bins=20, range=(0, 1))[0]
    assert counts.min() > 900
    assert counts.max() < 1100


def _model(store: Store, mels, max_clips: int | None, **config):
    train = {"max_clips": max_clips, "held_out": 0.1}
    files = {"model.safetensors": b"weights"}
    return commit_artifact(
        store, "model", files, derived={}, recipe="made", config={"train": train, **config}, parents=[mels]
    )


@pytest.mark.parametrize("max_clips", [10_000, 800, 100])
def test_held_out_ids_are_those_that_the_training_held_out(tmp_path, max_clips):
    store = Store(str(tmp_path / "store"))
    mels = commit_mels(store, 20, 50, 4)
    clips, names = load_clips(store, mels, max_clips)
    expected = set(names[np.unique(clips.track[clips.split(0.1)[1]])].tolist())
    kind = kind_of_clips(store, mels, max_clips)
    assert kind == ("all" if max_clips == 10_000 else "sample")
    how = {} if kind == "all" else {"clips": kind}
    assert held_out_ids(store, _model(store, mels, max_clips, **how)) == expected
    assert expected


def test_held_out_ids_of_a_model_of_an_older_version_are_of_the_first_shards(tmp_path):
    store = Store(str(tmp_path / "store"))
    mels = commit_mels(store, 20, 50, 4)
    ids = held_out_ids(store, _model(store, mels, 800))
    assert {name[:3] for name in ids} == {"s00", "s01", "s02", "s03"}


def test_held_out_ids_of_a_stream_are_bounded(tmp_path, monkeypatch):
    store = Store(str(tmp_path / "store"))
    mels = commit_mels(store, 20, 50, 4)
    ids = held_out_ids(store, model := _model(store, mels, None, clips="stream"))
    assert 60 < len(ids) < 140
    monkeypatch.setattr(training_clips, "MOST_HELD_OUT", 30)
    few = held_out_ids(store, model)
    assert len(few) == 30
    assert few < ids


def test_clips_that_do_not_fit_into_memory_are_streamed(tmp_path):
    store = Store(str(tmp_path / "store"))
    mels = commit_mels(store, 1, 50, 4)
    needed = 200 * 16640
    assert kind_of_clips(store, mels, 200, free_bytes=2 * needed) == "all"
    assert kind_of_clips(store, mels, 200, free_bytes=2 * needed - 1) == "stream"
    assert kind_of_clips(store, mels, 100, free_bytes=2 * needed - 1) == "sample"
    assert kind_of_clips(store, mels, None) == "stream"
    assert 1 << 26 < free_memory() < 1 << 44


def test_mels_without_clips_are_an_error(tmp_path):
    store = Store(str(tmp_path / "store"))
    store.write_part("mels", "000000-empty", MELS.empty_table())
    mels = store.commit("mels", ["000000-empty"], recipe="empty", config={})
    with pytest.raises(StoreError, match="holds no clips to train on; `audioae coverage` shows"):
        load_clips(store, mels, 100)


def test_damage_is_found_in_a_sample(tmp_path):
    store = Store(str(tmp_path / "store"))
    mels = commit_mels(store, 2, 50, 4)
    path = Path(store.files(mels)[1])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamageError, match=r"000001-made.parquet: (not readable|content differs)"):
        load_clips(store, mels, 300)
    path.write_bytes(content[:-100])
    with pytest.raises(DamageError, match="the manifest says"):
        load_clips(store, mels, 300)
