"""Shards: the unit of work and of retry. A shard of tracks makes one part of every dataset that follows.

Conventions
-----------
- A track gets its shard when it is first seen and keeps it: new tracks open new shards, old shards stay as they are.
- A part's fingerprint is `<shard>-<hash of its inputs>`: parts list in shard order, and any dataset's part of a given
  track is found without reading the others.
"""

import itertools
from collections.abc import Iterable, Iterator

import pyarrow as pa

from audioae.config import fingerprint
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


def shard_size(n_new: int, *, shard_tracks: int, min_shards: int) -> int:
    """How many tracks go into each new shard: `shard_tracks`, or fewer so that `min_shards` shards can run at once.

    >>> shard_size(500, shard_tracks=1024, min_shards=16), shard_size(10**6, shard_tracks=1024, min_shards=16)
    (32, 1024)
    """
    return max(1, min(shard_tracks, -(-n_new // min_shards)))


def part_fingerprint(shard: int, content: object) -> str:
    """Name of the part that `shard` makes from `content` (JSON-like: hashes, configs, code versions)."""
    return f"{shard:06d}-{fingerprint(content)}"


def shard_of(part_name: str) -> int:
    """The shard that made a part.

    >>> shard_of("000012-3f2a91c03f2a91c0.parquet")
    12
    """
    return int(part_name.split("-", 1)[0])


def shard_numbers(store: Store, tracks: DatasetRef) -> list[int]:
    """Every shard of a catalog version, ascending."""
    return [shard_of(part.name) for part in store.manifest(tracks).parts]


def iter_shards(
    store: Store, tracks: DatasetRef, shards: Iterable[int] | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """The tracks of the named shards (default: all), shard by shard, ascending."""
    wanted = None if shards is None else set(shards)
    for part in store.manifest(tracks).parts:
        if wanted is None or shard_of(part.name) in wanted:
            yield shard_of(part.name), store.read_part("tracks", part.name.removesuffix(".parquet"))


def group_shards(shards: list[int], n_groups: int) -> list[list[int]]:
    """Split into at most `n_groups` runs of neighbors of nearly equal length, none empty.

    >>> group_shards([1, 2, 3, 4, 5], 2)
    [[1, 2, 3], [4, 5]]
    """
    n_groups = min(n_groups, len(shards))
    bounds = [round(i * len(shards) / n_groups + 1e-9) for i in range(n_groups + 1)] if n_groups else []
    return [shards[a:b] for a, b in itertools.pairwise(bounds)]
