"""Training clips: held in arrays, split by track, sampled without state.

The batch of step i is a pure function of (seed, i): a resumed run sees the batches that the uninterrupted run would
have seen, and no loader has a position to save.

Conventions
-----------
- A batch is p pairs: rows [0, p) and rows [p, 2 p) are two clips of the same p tracks. A track with a single clip gives
  that clip twice.
- A batch repeats a track only if there are fewer tracks than pairs.
- A track's number alone decides whether it is held out: the same number is always on the same side.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audioae.constants import N_FRAMES, N_MELS
from audioae.errors import ModelError
from audioae.spacing import evenly_spaced


@dataclass(frozen=True)
class ClipSet:
    """The mels of clips. The arrays may be memory maps.

    Parameters
    ----------
    codes : np.ndarray, shape (n, 128, 130), uint8
        Codes from `audio.mel.encode_mel`.
    peak_db : np.ndarray, shape (n,), float32
        Absolute level of each clip's maximum, dB.
    track : np.ndarray, shape (n,), int64
        The track number of each clip; any numbers that are equal for clips of the same track.
    """

    codes: np.ndarray
    peak_db: np.ndarray
    track: np.ndarray

    def __post_init__(self):
        n = len(self.codes)
        if self.codes.shape != (n, N_MELS, N_FRAMES) or self.codes.dtype != np.uint8:
            raise ModelError(
                f"clips: got codes {self.codes.shape} {self.codes.dtype}, wanted (n, {N_MELS}, {N_FRAMES}) uint8"
            )
        if len(self.peak_db) != n or len(self.track) != n:
            raise ModelError(
                f"clips: got {n} mels, {len(self.peak_db)} levels, {len(self.track)} tracks; wanted equal numbers"
            )
        if not np.issubdtype(self.track.dtype, np.integer):
            raise ModelError(f"clips: got track numbers of type {self.track.dtype}, wanted int64")

    def split(self, held_out: float) -> tuple[np.ndarray, np.ndarray]:
        """Split the rows by track into training rows and held-out rows.

        About a share `held_out` of the tracks is held out: none if it is 0, else at least one of two or more tracks.
        """
        held = np.isin(self.track, held_out_tracks(self.track, held_out))
        return np.flatnonzero(~held), np.flatnonzero(held)

    @property
    def n_clips(self) -> int:
        return len(self.codes)

    @property
    def digest(self) -> str:
        """Identifies the clips by a hash of their tracks and levels."""
        content = hashlib.sha256(np.ascontiguousarray(self.track, dtype=np.int64).tobytes())
        content.update(np.ascontiguousarray(self.peak_db, dtype=np.float32).tobytes())
        return content.hexdigest()[:16]


@dataclass(frozen=True)
class ClipStream:
    """Clips that do not fit into memory: they are loaded window by window.

    A window holds clips from places all over the data, so that its batches are a fair sample; the windows of an epoch
    together hold every clip once. What a window holds is a function of its number alone.

    Parameters
    ----------
    n_clips : int
        Of one epoch.
    sample : ClipSet
        Clips of a sample of the tracks, training and held-out ones, under the same track numbers.
    window_clips : int
        Clips of a window, over all processes.
    load : callable
        `load(number, rank, world)` gives the share of the process `rank` of `world` in a window. It must pickle.
    digest : str
        Identifies the data and their order.
    """

    n_clips: int
    sample: ClipSet
    window_clips: int
    load: Callable[[int, int, int], ClipSet]
    digest: str


class PairSampler:
    """Draws batches of rows, in pairs of the same track (see the module).

    >>> track = np.array([7, 7, 8, 8, 9, 9])
    >>> rows = PairSampler(track, np.arange(6), seed=0).rows(step=3, pairs=3)
    >>> sorted(track[rows[:3]]), (track[rows[:3]] == track[rows[3:]]).all()
    ([np.int64(7), np.int64(8), np.int64(9)], np.True_)
    """

    def __init__(self, track: np.ndarray, rows: np.ndarray, seed: int):
        self.seed = seed
        self.by_track = rows[np.argsort(track[rows], kind="stable")]
        _, self.starts, self.counts = np.unique(track[self.by_track], return_index=True, return_counts=True)

    def rows(self, step: int, pairs: int) -> np.ndarray:
        """Draw the rows of the batch of `step`, shape (2 `pairs`,), int64."""
        rng = np.random.default_rng((self.seed, step))
        n = len(self.starts)
        rounds = [rng.choice(n, size=min(n, pairs - done), replace=False) for done in range(0, pairs, n)]
        chosen = np.concatenate(rounds)
        starts, counts = self.starts[chosen], self.counts[chosen]
        first = rng.integers(counts)
        second = (first + 1 + rng.integers(np.maximum(counts - 1, 1))) % counts
        return self.by_track[np.concatenate([starts + first, starts + second])]


def held_out_tracks(track: np.ndarray, held_out: float) -> np.ndarray:
    """Return the held-out track numbers among those in `track`, ascending."""
    tracks = np.unique(track)
    draw = _draw(tracks)
    held = draw < held_out
    if held_out > 0 and len(tracks) > 1:
        held[np.argmin(draw)] = True
        held[np.argmax(draw)] = False
    return tracks[held]


def spread(rows: np.ndarray, n_max: int) -> np.ndarray:
    """Return at most `n_max` of `rows`, evenly spaced."""
    return rows[evenly_spaced(len(rows), n_max)]


def is_held_out(track: np.ndarray, held_out: float) -> np.ndarray:
    """Whether each track number is held out from a stream, of which nobody knows all tracks; shape (n,), bool.

    The same tracks as `held_out_tracks` gives, but for its promise to leave no side empty.
    """
    return _draw(track) < held_out


def _draw(track: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each track number."""
    return mix64(track.astype(np.uint64)).astype(np.float64) / 2.0**64


def mix64(numbers: np.ndarray) -> np.ndarray:
    """Hash uint64 numbers with splitmix64: neighboring numbers become unrelated."""
    x = numbers + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
