"""Shards of stored mels are read by several threads, each its own, and a failure ends all of them."""

import threading
from pathlib import Path

import pytest

from audioae.audio import workers
from audioae.pipeline.clips import ShardClips
from audioae.pipeline.config import MelsConfig, Retry
from audioae.pipeline.config import Workers as WorkersConfig
from audioae.pipeline.mels import compute_mels
from audioae.pipeline.shard_plan import MELS_PART
from audioae.pipeline.stored_shards import map_stored
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from tests.pipeline.big_shard import N_CLIPS, decode, made_tracks

SIZES = [40, 3, 33, 5]
CONFIG = MelsConfig()


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, DatasetRef]:
    """Four shards; the mels of all but the last are stored."""
    monkeypatch.setattr(workers, "imap_killable", decode)
    store = Store(str(tmp_path))
    tracks = made_tracks(store, SIZES)
    compute_mels(store, CONFIG, tracks, [0, 1, 2], WorkersConfig())
    return store, tracks


def count(clips: ShardClips) -> int:
    return sum(mels.num_rows for mels in clips.blocks)


def test_each_stored_shard_gives_its_clips_and_the_others_none(stored: tuple[Store, DatasetRef]):
    found = list(map_stored(*stored, [0, 1, 2, 3], CONFIG, Retry(), [MELS_PART], count, readers=2))
    assert found == [(0, 40 * N_CLIPS), (1, 3 * N_CLIPS), (2, 33 * N_CLIPS), (3, None)]


def test_as_many_shards_as_readers_are_under_way(stored: tuple[Store, DatasetRef]):
    meeting = threading.Barrier(3, timeout=60)

    def meet(clips: ShardClips) -> int:
        meeting.wait()
        return count(clips)

    assert len(list(map_stored(*stored, [0, 1, 2], CONFIG, Retry(), [MELS_PART], meet, readers=3))) == 3


def test_a_failure_ends_the_other_shards_with_their_block(stored: tuple[Store, DatasetRef]):
    """Shards 0 and 2 have two blocks: they take their first before shard 1 fails, and their second after that."""
    begun, failed, blocks = threading.Barrier(3, timeout=60), threading.Event(), []

    def work(clips: ShardClips) -> int:
        if clips.shard == 1:
            begun.wait()
            raise KeyError("shard 1")
        for mels in clips.blocks:
            blocks.append((clips.shard, mels.num_rows))
            if len(blocks) <= 2:
                begun.wait()
            assert failed.wait(60)
        return 0

    def fail_later() -> None:
        failed.set()

    shards = map_stored(*stored, [1, 0, 2], CONFIG, Retry(), [MELS_PART], work, readers=3)
    timer = threading.Timer(1.0, fail_later)
    timer.start()
    with pytest.raises(KeyError, match="shard 1"):
        list(shards)
    assert sorted(blocks) == [(0, 32 * N_CLIPS), (2, 32 * N_CLIPS)]
