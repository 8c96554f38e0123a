"""Shards: the unit of work and of retry. A shard of tracks gives one part of every later dataset.

Conventions
-----------
- A track gets its shard when it is first seen, and keeps it; `sharding.py` has the rules.
- A part's fingerprint is `<shard>-<hash of its inputs>`: parts sort in shard order, and the part of a given track is
  found in any dataset without reading the others.
"""

import itertools
from collections.abc import Iterable, Iterator

import pyarrow as pa

from audioae.config import fingerprint
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

SMALL = 1024  # tracks
MOST_SHARDS = 1000


def shard_size(n_new: int, *, n_tracks: int, shard_tracks: int, min_shards: int) -> int:
    """The number of tracks per new shard, so that the new tracks make at least `min_shards` shards.

    At most `SMALL`; in a catalog of more than `SMALL * MOST_SHARDS` tracks so many that a fresh one has `MOST_SHARDS`
    shards; never more than `shard_tracks`.

    Parameters
    ----------
    n_new, n_tracks : int
        New tracks, and all tracks of the catalog with them.
    shard_tracks, min_shards : int
        See `CatalogConfig`.

    Examples
    --------
    >>> limits = {"shard_tracks": 10_000, "min_shards": 16}
    >>> [shard_size(n, n_tracks=n, **limits) for n in (500, 10**6, 4 * 10**6, 10**8)]
    [32, 1024, 4000, 10000]
    """
    largest = max(SMALL, -(-n_tracks // MOST_SHARDS))
    return max(1, min(shard_tracks, largest, -(-n_new // min_shards)))


def part_fingerprint(shard: int, content: object) -> str:
    """Name the part that `shard` makes from `content` (JSON-like: hashes, configs, code versions)."""
    return f"{shard:06d}-{fingerprint(content)}"


def shard_of(part_name: str) -> int:
    """Return the shard number in a part's name.

    >>> shard_of("000012-3f2a91c03f2a91c0.parquet")
    12
    """
    return int(part_name.split("-", 1)[0])


def shard_numbers(store: Store, tracks: DatasetRef) -> list[int]:
    """Return all shards of a catalog version, ascending."""
    return [shard_of(part.name) for part in store.manifest(tracks).parts]


def iter_shards(
    store: Store, tracks: DatasetRef, shards: Iterable[int] | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """Yield (shard, tracks) of the given shards (default: all), ascending."""
    wanted = None if shards is None else set(shards)
    for part in store.manifest(tracks).parts:
        if wanted is None or shard_of(part.name) in wanted:
            yield shard_of(part.name), store.read_part("tracks", part.name.removesuffix(".parquet"))


def group_shards(shards: list[int], n_groups: int) -> list[list[int]]:
    """Split into at most `n_groups` non-empty runs of consecutive shards, of nearly equal length.

    >>> group_shards([1, 2, 3, 4, 5], 2)
    [[1, 2, 3], [4, 5]]
    """
    n_groups = min(n_groups, len(shards))
    bounds = [round(i * len(shards) / n_groups + 1e-9) for i in range(n_groups + 1)] if n_groups else []
    return [shards[a:b] for a, b in itertools.pairwise(bounds)]
