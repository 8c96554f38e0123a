"""Copied mels come in the order of the tracks now, block by block."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from audioae.pipeline import copied_mels
from audioae.pipeline.clips import _mels_table, mel_codes
from audioae.pipeline.copied_mels import CopiedMels
from audioae.pipeline.reuse import Copy
from audioae.store.dataset import Store
from tests.pipeline.big_shard import N_CLIPS, made_clips

IDS = [f"t{i:08d}" for i in range(50)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path))
    store.write_part("mels", "part", _mels_table([(track_id, made_clips(track_id)) for track_id in IDS]))
    return store


def take_all(store: Store, theirs: list[str], ours: list[str], now: list[str]) -> dict[str, np.ndarray]:
    """The codes of each track, taken in blocks of 7 tracks; checks their order."""
    ids = pa.array(now, pa.string())
    copied = CopiedMels(store, Copy("mels", "part", pa.array(theirs), pa.array(ours)), ids)
    codes: dict[str, np.ndarray] = {}
    for end in [*range(7, len(now), 7), len(now)]:
        table = copied.take(end)
        found = list(dict.fromkeys(table["track_id"].to_pylist()))
        assert found == [track_id for track_id in now[max(end - 7, (end - 1) // 7 * 7) : end] if track_id in ours]
        assert table["clip"].to_pylist() == list(range(N_CLIPS)) * len(found)
        codes.update(zip(found, mel_codes(table).reshape(-1, N_CLIPS, 128, 130), strict=True))
    return codes


@pytest.mark.parametrize("clips", [16_384, 100], ids=["one pass", "several passes"])
@pytest.mark.parametrize("renamed", [False, True], ids=["same IDs", "other IDs in another order"])
def test_every_track_gets_its_clips(store: Store, renamed: bool, clips: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(copied_mels, "SORTED_CLIPS", clips)
    theirs = IDS[3::2]
    ours = [f"x{(7 * i) % len(theirs):02d}" for i in range(len(theirs))] if renamed else theirs
    now = sorted([*ours, *(f"{'x' if renamed else 't000000'}{i:02d}new" for i in range(10))])
    codes = take_all(store, theirs, ours, now)
    assert codes.keys() == set(ours)
    for old, new in zip(theirs, ours, strict=True):
        assert np.array_equal(codes[new], made_clips(old).codes)


def test_a_part_in_the_right_order_is_read_once(store: Store, monkeypatch: pytest.MonkeyPatch):
    reads: list[object] = []
    blocks = store.part_blocks
    monkeypatch.setattr(
        store, "part_blocks", lambda *names, **options: reads.append(names) or blocks(*names, **options)
    )
    assert len(take_all(store, IDS, IDS, IDS)) == 50
    assert reads == [("mels", "part", ["track_id"]), ("mels", "part")]
