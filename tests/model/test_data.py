"""The split by track and the stateless sampler."""

import numpy as np
import pytest

from audioae.errors import ModelError
from audioae.model.data import ClipSet, PairSampler, spread


def clip_set(track: np.ndarray) -> ClipSet:
    n = len(track)
    return ClipSet(np.zeros((n, 128, 130), np.uint8), np.zeros(n, np.float32), track)


def test_the_split_puts_every_track_on_exactly_one_side():
    track = np.repeat(np.arange(500), 3)
    train, held = clip_set(track).split(0.1)
    assert not set(track[train]) & set(track[held])
    assert sorted([*train, *held]) == list(range(1500))
    assert 30 < len(set(track[held])) < 70


def test_a_track_stays_on_its_side_when_the_catalog_grows():
    small, large = np.arange(300), np.arange(600)
    held_small = set(clip_set(small).split(0.2)[1])
    held_large = set(clip_set(large).split(0.2)[1])
    assert held_small == {row for row in held_large if row < 300}


@pytest.mark.parametrize(("n_tracks", "expected"), [(1, 0), (2, 1), (3, 1)])
def test_small_sets_keep_at_least_one_track_for_training(n_tracks: int, expected: int):
    train, held = clip_set(np.arange(n_tracks)).split(0.01)
    assert len(held) == expected
    assert len(train) == n_tracks - expected


def test_a_held_out_share_of_0_holds_out_nothing():
    assert len(clip_set(np.arange(50)).split(0.0)[1]) == 0


def test_pairs_are_two_clips_of_a_track_and_a_batch_has_different_tracks():
    track = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 4))
    sampler = PairSampler(track, np.arange(80), seed=1)
    for step in range(50):
        first, second = sampler.rows(step, pairs=16).reshape(2, -1)
        assert (track[first] == track[second]).all()
        assert (first != second).all()
        assert len(set(track[first])) == 16


def test_more_pairs_than_tracks_repeat_each_track_equally_often():
    track = np.repeat(np.arange(3), 5)
    first = PairSampler(track, np.arange(15), seed=0).rows(0, pairs=8)[:8]
    assert sorted(np.bincount(track[first])) == [2, 3, 3]


def test_a_track_with_one_clip_gives_it_twice():
    rows = PairSampler(np.array([4]), np.array([0]), seed=0).rows(7, pairs=2)
    assert rows.tolist() == [0, 0, 0, 0]


def test_a_batch_depends_only_on_seed_and_step():
    track = np.repeat(np.arange(30), 4)
    sampler = PairSampler(track, np.arange(120), seed=5)
    later = [sampler.rows(step, 8) for step in (9, 3, 9)]
    assert (later[0] == later[2]).all()
    assert (PairSampler(track, np.arange(120), seed=5).rows(9, 8) == later[0]).all()
    assert (later[0] != later[1]).any()
    assert (PairSampler(track, np.arange(120), seed=6).rows(9, 8) != later[0]).any()


def test_the_sampler_draws_only_the_given_rows():
    track = np.repeat(np.arange(10), 4)
    rows = np.flatnonzero(track % 2 == 0)
    drawn = np.concatenate([PairSampler(track, rows, seed=0).rows(step, 5) for step in range(40)])
    assert set(drawn) == set(rows)


def test_spread_is_evenly_spaced_and_keeps_small_sets_whole():
    assert spread(np.arange(10), 3).tolist() == [0, 3, 6]
    assert spread(np.arange(3), 10).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("codes", "peaks", "track", "message"),
    [
        (np.zeros((2, 128, 129), np.uint8), 2, np.arange(2), r"\(2, 128, 129\)"),
        (np.zeros((2, 128, 130), np.float32), 2, np.arange(2), "float32"),
        (np.zeros((2, 128, 130), np.uint8), 3, np.arange(2), "2 mels, 3 levels, 2 tracks; wanted equal numbers"),
        (np.zeros((2, 128, 130), np.uint8), 2, np.array(["a", "b"]), "<U1"),
    ],
)
def test_clips_of_a_wrong_shape_or_type_are_refused(codes: np.ndarray, peaks: int, track: np.ndarray, message: str):
    with pytest.raises(ModelError, match=message):
        ClipSet(codes, np.zeros(peaks, np.float32), track)
