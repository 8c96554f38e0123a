"""A stream over stored mels of any size: what a `ClipStream` loads.

Conventions
-----------
- The unit is a group of 1,024 clips (`mel_groups.py`). The groups of all parts are shuffled once per epoch, by (seed,
  epoch), and dealt out: to the windows of the epoch, and within a window to the processes. No two processes have the
  same group in an epoch, unless there are fewer groups than processes.
- A process holds two windows of at most 48 groups: 1.6 GB. `window` is a function of its number, so that a resumed run
  reads on where it was.
- A group holds the clips of about 43 neighboring tracks of the catalog, a window about 2,000 tracks from 48 places. The
  clips of a track that lie in two groups meet only if both are in the same window.
- Track numbers are hashes of track_ids, so a track is held out or not wherever it is read.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from audioae.config import fingerprint
from audioae.constants import N_FRAMES, N_MELS
from audioae.errors import StoreError
from audioae.model.data import ClipSet, ClipStream
from audioae.pipeline.clips import mel_codes
from audioae.pipeline.mel_groups import GROUP_ROWS, n_groups, open_mels
from audioae.pipeline.training_clips import COLUMNS, hash_column, load_clips
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

WINDOW_GROUPS = 48  # of one process
SAMPLE_CLIPS = 8192  # for statistics and validation


@dataclass(frozen=True)
class MelWindows:
    """Windows of clips of one version of `mels`, for `world` processes."""

    root: str
    mels: DatasetRef
    seed: int
    world: int = 1
    most_groups: int = WINDOW_GROUPS

    def stream(self) -> ClipStream:
        """The stream that a training reads."""
        store = Store(self.root)
        n_clips = store.manifest(self.mels).rows
        clips, names = load_clips(store, self.mels, SAMPLE_CLIPS)
        numbers = _numbers(pa.chunked_array([pa.array(names, pa.string())]))
        sample = ClipSet(clips.codes, clips.peak_db, numbers[clips.track])
        window_clips = min(self._window_groups(self._n_groups(store)) * self.world * GROUP_ROWS, n_clips)
        digest = fingerprint([str(self.mels), self.seed, self.world, self.most_groups])
        return ClipStream(n_clips, sample, window_clips, self.window, digest)

    def window(self, number: int, rank: int, world: int) -> ClipSet:
        """The share of the process `rank` in one window."""
        store = Store(self.root)
        chosen = self.groups(store, number, rank, world)
        parts = store.manifest(self.mels).parts
        codes = np.empty((len(chosen) * GROUP_ROWS, N_MELS, N_FRAMES), np.uint8)
        peaks, tracks, row = np.empty(len(codes), np.float32), np.empty(len(codes), np.int64), 0
        for number_of_part in np.unique(chosen[:, 0]):
            groups = chosen[chosen[:, 0] == number_of_part, 1]
            with open_mels(store, parts[number_of_part]) as opened:
                for table in opened.read(groups.tolist(), COLUMNS):
                    end = row + table.num_rows
                    codes[row:end], peaks[row:end] = mel_codes(table), table["peak_db"].to_numpy()
                    tracks[row:end] = _numbers(table["track_id"])
                    row = end
        return ClipSet(codes[:row], peaks[:row], tracks[:row])

    def groups(self, store: Store, number: int, rank: int, world: int) -> np.ndarray:
        """The groups of a window's share, shape (n, 2): number of the part, number of the group in it; ascending."""
        counts = self._n_groups(store)
        total = int(counts.sum())
        if not total:
            raise StoreError(f"{self.mels} holds no clips to train on; `audioae coverage` shows why")
        size = self._window_groups(counts)
        n_windows = -(-total // (size * world))
        epoch, window = divmod(number, n_windows)
        order = np.random.default_rng((self.seed, epoch)).permutation(total)
        dealt = np.resize(order, (n_windows, world, size))[window, rank]
        places = np.unique(dealt)
        starts = np.cumsum(counts) - counts
        part = np.searchsorted(starts, places, side="right") - 1
        return np.stack([part, places - starts[part]], axis=1)

    def _n_groups(self, store: Store) -> np.ndarray:
        return np.array([n_groups(part) for part in store.manifest(self.mels).parts], np.int64)

    def _window_groups(self, counts: np.ndarray) -> int:
        return min(self.most_groups, -(-int(counts.sum()) // self.world))


def _numbers(track_ids: pa.ChunkedArray) -> np.ndarray:
    """The hash of each track_id as a track number."""
    return hash_column(track_ids).view(np.int64)
