"""Batches of a process: its share, the same however they are fed, and windows of a stream."""

import numpy as np
import pytest
import torch

from audioae.errors import ModelError
from audioae.model import batches
from audioae.model.batches import DrawnBatches, PrefetchedBatches, Share, StreamBatches, fits, open_batches
from audioae.model.data import ClipSet, ClipStream, PairSampler, is_held_out
from tests.model.conftest import make_clips

CPU = torch.device("cpu")


def drawn(clips: ClipSet, rank: int = 0, world: int = 1) -> DrawnBatches:
    sampler = PairSampler(clips.track, np.arange(len(clips.codes)), seed=3)
    return DrawnBatches(clips, sampler, 8, Share(rank, world, CPU), on_device=False)


def test_the_shares_of_all_processes_are_the_batch(clips: ClipSet):
    whole, (first, second) = drawn(clips).at(5), (drawn(clips, rank, 2).at(5) for rank in (0, 1))
    for everywhere, *shares in zip(whole, first, second, strict=True):
        halves = [torch.stack([a, b], dim=1).flatten(0, 1) for a, b in zip(*(s.chunk(2) for s in shares), strict=True)]
        assert torch.equal(torch.cat(halves), everywhere)


def test_a_share_has_pairs_of_one_track(clips: ClipSet):
    _, tracks = drawn(clips, 1, 2).at(0)
    first, second = tracks.chunk(2)
    assert torch.equal(first, second)
    assert len(first) == 4


def test_prefetched_batches_are_those_that_are_drawn(clips: ClipSet, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)  # it needs a GPU
    prefetched, plain = PrefetchedBatches(drawn(clips)), drawn(clips)
    for step in (0, 1, 2, 7, 7, 3):  # also steps that were not foreseen
        for got, wanted in zip(prefetched.at(step), plain.at(step), strict=True):
            assert torch.equal(got, wanted)
    prefetched.close()


def test_clips_stay_where_they_are_without_a_gpu(clips: ClipSet):
    assert not fits(1, CPU)
    opened = open_batches(
        clips, np.arange(len(clips.codes)), batch_size=16, held_out=0.1, seed=3, share=Share(0, 1, CPU)
    )
    assert isinstance(opened, DrawnBatches)
    assert torch.equal(opened.at(4)[0], drawn(clips).at(4)[0])


def stream_of(clips: ClipSet, loaded: list[int], empty: int = 0) -> ClipStream:
    """Windows of 24 clips, the first `empty` of which have held-out tracks only."""
    held = next(number for number in range(1000) if is_held_out(np.array([number]), 0.1)[0])

    def load(number: int, rank: int, world: int) -> ClipSet:
        loaded.append(number)
        rows = (np.arange(24) + 24 * number) % len(clips.codes)
        tracks = np.full(24, held) if number < empty else 1000 + clips.track[rows]
        return ClipSet(clips.codes[rows], clips.peak_db[rows], tracks)

    return ClipStream(len(clips.codes), clips, 24, load, "made")


def test_each_window_serves_as_many_steps_as_it_has_batches(clips: ClipSet):
    loaded: list[int] = []
    opened = StreamBatches(stream_of(clips, loaded), 8, 0.1, 0, Share(0, 1, CPU))
    tracks = [set(opened.at(step)[1].tolist()) for step in range(6)]
    opened.close()
    assert set(loaded) - {2} == {0, 1}  # the next one is read ahead
    windows = [set((1000 + clips.track[24 * number : 24 * (number + 1)]).tolist()) for number in (0, 1)]
    assert all(tracks[step] <= windows[step // 3] for step in range(6))


def test_a_window_without_training_tracks_is_passed_over(clips: ClipSet, monkeypatch: pytest.MonkeyPatch):
    opened = StreamBatches(stream_of(clips, [], empty=2), 8, 0.1, 0, Share(0, 1, CPU))
    assert min(opened.at(0)[1].tolist()) >= 1000
    opened.close()
    monkeypatch.setattr(batches, "MOST_EMPTY", 3)
    opened = StreamBatches(stream_of(clips, [], empty=9), 8, 0.1, 0, Share(0, 1, CPU))
    with pytest.raises(ModelError, match=r"got 3 windows without a training track, wanted at least one; lower train\."):
        opened.at(0)
    opened.close()


def test_processes_of_a_stream_draw_from_their_own_windows():
    clips = make_clips(n_tracks=60, clips_per_track=2)

    def load(number: int, rank: int, world: int) -> ClipSet:
        rows = np.flatnonzero(clips.track % world == rank)
        return ClipSet(clips.codes[rows], clips.peak_db[rows], clips.track[rows])

    stream = ClipStream(len(clips.codes), clips, 120, load, "made")
    for rank in (0, 1):
        opened = StreamBatches(stream, 16, 0.0, 0, Share(rank, 2, CPU))
        mels, tracks = opened.at(0)
        opened.close()
        assert len(mels) == 8
        assert set((tracks % 2).tolist()) == {rank}
