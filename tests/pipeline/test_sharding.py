"""How many tracks a shard has: new tracks fill small shards, and small shards are merged without decoding."""

import numpy as np
import pytest

from audioae.pipeline.sharding import merge_small, place_new
from audioae.pipeline.shards import shard_size
from tests.pipeline.daily import Daily, write_track

LIMITS = {"shard_tracks": 1024, "min_shards": 16}


def sizes(shards: np.ndarray) -> list[int]:
    return np.unique(shards, return_counts=True)[1].tolist()


def added(shards: np.ndarray, n: int) -> np.ndarray:
    """The shards after a run that found `n` new tracks."""
    first_free = int(shards.max()) + 1 if len(shards) else 0
    return merge_small(place_new(np.append(shards, np.full(n, -1)), first_free, **LIMITS), **LIMITS)


def test_a_first_run_of_500_tracks_has_min_shards_shards():
    assert sizes(added(np.empty(0, int), 500)) == [32] * 15 + [20]


def test_three_new_files_go_into_the_newest_shard():
    first = added(np.empty(0, int), 500)
    later = added(first, 3)
    assert sizes(later) == [32] * 15 + [23]
    assert np.array_equal(later[:500], first)


def test_a_new_shard_holds_at_least_64_or_what_there_is():
    first = added(np.empty(0, int), 5_000)
    assert sizes(first)[-1] == 305
    assert sizes(added(first, 3))[-1] == 3
    assert sizes(added(first, 70))[-2:] == [64, 6]
    assert sizes(added(added(first, 3), 100))[-2:] == [64, 39]
    assert sizes(added(first, 10_000))[16:] == [625] * 16


def test_a_year_of_three_files_a_day_has_few_shards_and_seldom_merges():
    shards, merges, most = added(np.empty(0, int), 500), 0, 0
    for _ in range(1200):
        before = shards
        shards = added(before, 3)
        merges += not np.array_equal(shards[: len(before)], before)
        most = max(most, len(np.unique(shards)))
    assert len(shards) == 4_100
    assert most <= 49
    assert merges <= 2
    assert min(sizes(shards)[:-1]) >= 32


def test_merging_keeps_the_order_and_never_exceeds_the_size():
    rng = np.random.default_rng(0)
    shards = np.sort(rng.integers(0, 400, 3_000))
    merged = merge_small(shards, **LIMITS)
    assert (np.diff(merged) >= 0).all()
    assert (merged <= shards).all()
    assert len(np.unique(merged)) <= 2 * 16 + 1
    assert max(sizes(merged)) <= 188
    assert np.array_equal(merge_small(merged, **LIMITS), merged)


LARGE = {"shard_tracks": 10_000, "min_shards": 16}


@pytest.mark.parametrize(
    ("n_tracks", "size"), [(500, 32), (16_384, 1024), (1_000_000, 1024), (2_000_000, 2000), (20_000_000, 10_000)]
)
def test_a_fresh_catalog_has_about_a_thousand_shards_of_at_most_10_000(n_tracks: int, size: int):
    assert shard_size(n_tracks, n_tracks=n_tracks, **LARGE) == size


def test_a_grown_catalog_gets_shards_of_its_size():
    assert shard_size(200_000, n_tracks=20_200_000, **LARGE) == 10_000
    assert shard_size(8_000, n_tracks=20_000_000, **LARGE) == 500
    assert shard_size(200_000, n_tracks=1_200_000, **LARGE) == 1200


def test_a_store_of_small_shards_keeps_them_and_grows_by_larger_ones():
    before = np.repeat(np.arange(4000, dtype=np.int32), 1024)
    after = merge_small(place_new(np.append(before, np.full(100_000, -1, np.int32)), 4000, **LARGE), **LARGE)
    assert np.array_equal(after[: len(before)], before)
    assert set(sizes(after[len(before) :])[:-1]) == {4196}


def test_large_shards_are_left_alone():
    shards = np.repeat(np.arange(8), 1024)
    assert np.array_equal(merge_small(shards, **LIMITS), shards)


@pytest.mark.parametrize("stored", [None, 1], ids=["stored", "sample"])
def test_merging_decodes_nothing_but_what_a_sample_of_mels_lacks_and_embeds_nothing(tmp_path, monkeypatch, stored):
    daily = Daily(tmp_path, monkeypatch, n=8, stored=stored)
    daily.options |= {"shard_tracks": 1, "min_shards": 1}
    before = daily.run()
    assert len({row["shard"] for row in before.tracks.values()}) == 8
    daily.options["shard_tracks"] = 4
    merged = daily.run()
    assert (len(merged.decoded), merged.embedded) == (3 if stored else 0, 0)
    assert sorted(row["shard"] for row in merged.tracks.values()) == [0] * 4 + [4] * 4
    assert merged.embeddings == before.embeddings
    write_track(daily.music / "b.mp3", 80)
    (daily.music / "a00.mp3").unlink()
    after = daily.run()
    assert (after.decoded, after.embedded) == (["b.mp3"], 1)
    assert len(after.embeddings) == 8
