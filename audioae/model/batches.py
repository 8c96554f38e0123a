"""From clips to the batches of a process: clips on the GPU where they fit, prefetched where they do not.

Conventions
-----------
- The batch of a step is a function of (seed, step): a resumed run needs no position of a reader, only its step.
- A batch has uint8 codes; the model turns them into dB, crops and augments them on its device.
- Every process takes its share of the pairs of a batch. Of a stream it also takes its share of the clips: each process
  draws its pairs from its own share of a window.

Why clips lie on the GPU if they fit: 200,000 of them are 3.3 GB, and drawing a batch there is one gather, instead of a
gather on the CPU, a copy into pinned memory and one over the bus.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from audioae.errors import ModelError
from audioae.model.data import ClipSet, ClipStream, PairSampler, is_held_out

FREE_SHARE = 0.6  # of the free memory of a GPU that clips may take
MOST_EMPTY = 100  # windows in a row

Batch = tuple[Tensor, Tensor]
"""Codes (n, 128, 130), uint8, and track numbers (n,), int64, on the device."""


class Batches(Protocol):
    """The batches of one process; `at` may be asked for any step."""

    def at(self, step: int) -> Batch: ...

    def close(self) -> None: ...


class Share:
    """The share of one process: `rank` of `world`, on `device`.

    >>> Share(1, 2, torch.device("cpu")).of(np.arange(8))
    array([1, 3, 5, 7])
    """

    def __init__(self, rank: int, world: int, device: torch.device):
        self.rank, self.world, self.device = rank, world, device

    def of(self, rows: np.ndarray) -> np.ndarray:
        """This process's pairs among the rows of a batch, first halves first."""
        return rows.reshape(2, -1)[:, self.rank :: self.world].reshape(-1)


def open_batches(
    clips: ClipSet | ClipStream, train_rows: np.ndarray, *, batch_size: int, held_out: float, seed: int, share: Share
) -> Batches:
    """The training batches of one process; `train_rows` are those of a `ClipSet`."""
    if isinstance(clips, ClipStream):
        return StreamBatches(clips, batch_size, held_out, seed, share)
    sampler = PairSampler(clips.track, train_rows, seed)
    return resident(clips, sampler, batch_size // 2, share)


def resident(clips: ClipSet, sampler: PairSampler, pairs: int, share: Share) -> "DrawnBatches | PrefetchedBatches":
    """Batches of clips in memory, by the fastest way that the device's memory allows."""
    on_device = fits(clips.codes.nbytes, share.device)
    drawn = DrawnBatches(clips, sampler, pairs, share, on_device=on_device)
    return PrefetchedBatches(drawn) if share.device.type == "cuda" and not on_device else drawn


def fits(n_bytes: int, device: torch.device) -> bool:
    """Whether clips of `n_bytes` may lie in the memory of a GPU; on other devices they stay where they are."""
    return device.type == "cuda" and n_bytes <= FREE_SHARE * torch.cuda.mem_get_info(device)[0]


class DrawnBatches:
    """Batches that are drawn when they are asked for, from clips on the device or in the memory of the CPU."""

    def __init__(self, clips: ClipSet, sampler: PairSampler, pairs: int, share: Share, on_device: bool):
        self.sampler, self.pairs, self.share, self.on_device = sampler, pairs, share, on_device
        codes, track = torch.from_numpy(clips.codes), torch.from_numpy(clips.track.astype(np.int64))
        self.codes, self.track = (codes.to(share.device), track.to(share.device)) if on_device else (codes, track)

    def at(self, step: int) -> Batch:
        mels, tracks = self.drawn(step)
        return mels.to(self.share.device, non_blocking=True), tracks.to(self.share.device, non_blocking=True)

    def drawn(self, step: int) -> Batch:
        """The batch where the clips are."""
        rows = torch.from_numpy(self.share.of(self.sampler.rows(step, self.pairs))).to(self.codes.device)
        return self.codes[rows], self.track[rows]

    def close(self) -> None:
        pass


class PrefetchedBatches:
    """Draws the next batch in a thread, into pinned memory, while the GPU works on this one."""

    def __init__(self, drawn: DrawnBatches):
        self.batches, self.pool = drawn, ThreadPoolExecutor(1)
        self.next: tuple[int, Future[Batch]] | None = None

    def at(self, step: int) -> Batch:
        waiting = self.next[1] if self.next and self.next[0] == step else self.pool.submit(self._pinned, step)
        mels, tracks = waiting.result()
        self.next = step + 1, self.pool.submit(self._pinned, step + 1)
        device = self.batches.share.device
        return mels.to(device, non_blocking=True), tracks.to(device, non_blocking=True)

    def _pinned(self, step: int) -> Batch:
        mels, tracks = self.batches.drawn(step)
        return mels.pin_memory(), tracks.pin_memory()

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)


class StreamBatches:
    """Batches of a stream: a window is trained on while the next one is loaded, so two are in memory.

    A window serves as many steps as it holds batches, so that an epoch draws about as many clips as there are. A window
    of which all tracks are held out is replaced by the next one.
    """

    def __init__(self, stream: ClipStream, batch_size: int, held_out: float, seed: int, share: Share):
        self.stream, self.pairs, self.held_out = stream, batch_size // share.world // 2, held_out
        self.seed, self.share, self.pool = seed, share, ThreadPoolExecutor(1)
        self.steps = max(stream.window_clips // batch_size, 1)
        self.number, self.window = -1, None
        self.next: tuple[int, Future[tuple[ClipSet, np.ndarray]]] | None = None

    def at(self, step: int) -> Batch:
        number, offset = divmod(step, self.steps)
        if number != self.number or self.window is None:
            self._open(number)
        assert self.window is not None
        return self.window.at(offset)

    def _open(self, number: int) -> None:
        self._close_window()
        waiting = self.next[1] if self.next and self.next[0] == number else self.pool.submit(self._load, number)
        clips, rows = waiting.result()
        alone = Share(0, 1, self.share.device)  # the window is this process's own
        (seed,) = np.random.SeedSequence((self.seed, number, self.share.rank)).generate_state(1)
        self.window, self.number = resident(clips, PairSampler(clips.track, rows, int(seed)), self.pairs, alone), number
        self.next = number + 1, self.pool.submit(self._load, number + 1)

    def _load(self, number: int) -> tuple[ClipSet, np.ndarray]:
        for later in range(number, number + MOST_EMPTY):
            clips = self.stream.load(later, self.share.rank, self.share.world)
            rows = np.flatnonzero(~is_held_out(clips.track, self.held_out))
            if len(rows):
                return clips, rows
        raise ModelError(
            f"training: got {MOST_EMPTY} windows without a training track, wanted at least one; lower train.held_out, "
            "or set train.max_clips to a number"
        )

    def _close_window(self) -> None:
        if self.window is not None:
            self.window.close()
        self.window = None  # its memory is free before the next window is on the device

    def close(self) -> None:
        self._close_window()
        self.pool.shutdown(cancel_futures=True)
