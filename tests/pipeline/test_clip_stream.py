"""A stream over stored mels: every clip once per epoch, the same windows for the same numbers, pairs of one track."""

import numpy as np
import pytest
import torch

from audioae.errors import StoreError
from audioae.model.batches import Share, StreamBatches
from audioae.model.data import is_held_out
from audioae.pipeline.clip_stream import MelWindows
from audioae.pipeline.training_clips import hash_ids, load_clips
from audioae.store.dataset import Store
from audioae.store.schemas import MELS
from tests.pipeline.made_mels import commit_mels

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Six shards of 1,500 clips: two groups each, the second of 476."""
    store = Store(str(tmp_path_factory.mktemp("stream") / "store"))
    return store, commit_mels(store, 6, tracks_per_shard=500, clips_per_track=3)


def hashes_of(store, mels) -> np.ndarray:
    return hash_ids(store.read(mels, ["track_id"])["track_id"].combine_chunks()).view(np.int64)


@pytest.mark.parametrize(("world", "most_groups"), [(1, 48), (1, 5), (2, 3), (3, 2), (5, 1)])
def test_an_epoch_has_every_group_and_processes_share_none(stored, world, most_groups):
    store, mels = stored
    windows = MelWindows(store.root, mels, seed=1, world=world, most_groups=most_groups)
    per_epoch = -(-12 // (min(most_groups, -(-12 // world)) * world))
    seen = [tuple(group) for number in range(per_epoch) for rank in range(world)
            for group in windows.groups(store, number, rank, world).tolist()]  # fmt: skip
    assert set(seen) == {(part, group) for part in range(6) for group in range(2)}
    assert len(seen) <= per_epoch * world * most_groups
    if 12 % (world * min(most_groups, -(-12 // world))) == 0:
        assert len(seen) == 12


def test_epochs_and_seeds_differ_and_the_same_number_gives_the_same_window(stored):
    store, mels = stored
    windows = MelWindows(store.root, mels, seed=1, most_groups=4)
    first, again, later = windows.window(0, 0, 1), windows.window(0, 0, 1), windows.window(3, 0, 1)
    assert np.array_equal(first.codes, again.codes)
    assert first.track.tolist() == again.track.tolist()
    assert first.track.tolist() != later.track.tolist()
    other = MelWindows(store.root, mels, seed=2, most_groups=4).window(0, 0, 1)
    assert first.track.tolist() != other.track.tolist()


def test_a_window_has_the_clips_of_its_groups(stored):
    store, mels = stored
    windows = MelWindows(store.root, mels, seed=1, most_groups=5)
    window, table = windows.window(1, 0, 1), store.read(mels)
    numbers, peaks = hashes_of(store, mels), table["peak_db"].to_numpy()
    places = [(1500 * part, 1024 * group) for part, group in windows.groups(store, 1, 0, 1).tolist()]
    rows = [start + row for start, first in places for row in range(first, min(first + 1024, 1500))]
    assert window.track.tolist() == numbers[rows].tolist()
    assert window.peak_db.tolist() == peaks[rows].tolist()


def test_batches_are_pairs_of_one_track_and_none_is_held_out(stored):
    store, mels = stored
    stream = MelWindows(store.root, mels, seed=1, most_groups=3).stream()
    batches = StreamBatches(stream, batch_size=64, held_out=0.3, seed=1, share=Share(0, 1, CPU))
    assert stream.n_clips == 9000
    assert batches.steps == 3 * 1024 // 64
    tracks = []
    for step in range(0, 150, 10):
        mels_, numbers = batches.at(step)
        first, second = numbers.chunk(2)
        assert mels_.shape == (64, 128, 130)
        assert mels_.dtype == torch.uint8
        assert torch.equal(first, second)
        tracks.append(numbers.numpy())
    batches.close()
    assert not is_held_out(np.concatenate(tracks), 0.3).any()
    assert len(np.unique(np.concatenate(tracks))) > 300


def test_a_batch_depends_on_its_step_alone(stored):
    store, mels = stored
    windows = MelWindows(store.root, mels, seed=1, most_groups=2)
    one, other = (StreamBatches(windows.stream(), 64, 0.1, 1, Share(0, 1, CPU)) for _ in range(2))
    expected = {step: one.at(step)[0] for step in (0, 31, 32, 33, 70)}
    for step in (70, 33, 32):  # as after a resumption, and backwards
        assert torch.equal(other.at(step)[0], expected[step])
    one.close()
    other.close()


def test_the_sample_has_the_numbers_of_the_stream(stored):
    store, mels = stored
    sample = MelWindows(store.root, mels, seed=1).stream().sample
    assert len(sample.codes) <= 8192
    assert set(sample.track.tolist()) <= set(hashes_of(store, mels).tolist())
    held = np.unique(sample.track[sample.split(0.1)[1]])
    assert is_held_out(held, 0.1).all()


def test_an_empty_store_is_an_error(tmp_path):
    store = Store(str(tmp_path / "store"))
    store.write_part("mels", "000000-empty", MELS.empty_table())
    mels = store.commit("mels", ["000000-empty"], recipe="empty", config={})
    with pytest.raises(StoreError, match="holds no clips to train on"):
        MelWindows(store.root, mels, seed=0).stream()
    with pytest.raises(StoreError, match="holds no clips to train on"):
        MelWindows(store.root, mels, seed=0).window(0, 0, 1)


def test_a_sample_and_a_window_are_read_from_a_bucket(s3_root, stored):
    _, local = stored
    store = Store(s3_root)
    mels = commit_mels(store, 6, tracks_per_shard=500, clips_per_track=3)
    assert mels == local
    clips, _ = load_clips(store, mels, 300)
    assert len(clips.codes) == 300
    assert np.array_equal(clips.codes, load_clips(stored[0], local, 300)[0].codes)
    windows = [MelWindows(root, mels, seed=1, most_groups=2).window(1, 0, 1) for root in (s3_root, stored[0].root)]
    assert np.array_equal(windows[0].codes, windows[1].codes)
