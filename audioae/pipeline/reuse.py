"""Results that exist already for the audio of a shard's tracks, so that only the others are decoded or embedded.

Conventions
-----------
- Two tracks have the same audio if their `content_hash` or their `audio_hash` is the same.
- Results are found in the extractions of the same shard: first those of the same tracks, then those of earlier versions
  of the catalog, published or not. A shard that is gone was merged into the nearest lower one (see `sharding.py`), so
  its extractions count as that one's.
- Nothing is read for a shard whose parts exist, and no more than `VERSIONS` manifests, however many versions there are.
"""

import bisect
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.errors import DamageError, StoreError
from audioae.pipeline.config import MelsConfig
from audioae.pipeline.extraction import Extractions, decodable, extraction_fingerprint, settings_of
from audioae.pipeline.shards import shard_of
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Part

VERSIONS = 8  # earlier versions of the catalog that are looked at
AUDIO_COLUMNS = ("track_id", "content_hash", "audio_hash", "duplicate_of")


@dataclass(frozen=True)
class Known:
    """An extraction that exists, the tracks that it is of, and whether its `min_s` was longer than that of now."""

    name: str
    tracks: pa.Table
    wanted_longer: bool = False


@dataclass(frozen=True)
class Copy:
    """Rows of one existing part that are the results of a shard's tracks.

    Attributes
    ----------
    dataset, part : str
    theirs, ours : pa.Array of string
        The track_ids in the part, each once, and those of the same audio now.
    """

    dataset: str
    part: str
    theirs: pa.Array
    ours: pa.Array

    def read(self, store: Store) -> pa.Table:
        """The rows, with the track_ids of now."""
        table = store.read_part(self.dataset, self.part)
        row = pc.index_in(table["track_id"], value_set=self.theirs)
        if not row.null_count and self.theirs.equals(self.ours):
            return table
        table, row = table.filter(row.is_valid()), row.drop_null().combine_chunks()
        return table.set_column(0, table.schema.field("track_id"), self.ours.take(row))


class History:
    """The extractions of the shards of a catalog version.

    Parameters
    ----------
    store : Store
    tracks : DatasetRef
    config : MelsConfig
    """

    def __init__(self, store: Store, tracks: DatasetRef, config: MelsConfig):
        self.store, self.config = store, config
        self.extractions = Extractions(name.removesuffix(".parquet") for name in store.list_parts("rejects"))
        self._ref = tracks

    def of(self, shard: int, tracks: pa.Table) -> Iterator[Known]:
        """Yield the extractions of `shard`, whose rows of `tracks` are given; the nearest first."""
        yield from self._known(shard, tracks)
        for part in self._earlier_parts.get(shard, ()):
            with contextlib.suppress(StoreError):  # damaged or pruned: there is nothing to reuse
                table = self.store.read_published("tracks", part, AUDIO_COLUMNS)
                yield from self._known(shard_of(part.name), table)

    def _known(self, shard: int, tracks: pa.Table) -> Iterator[Known]:
        for settings in settings_of(self.config):
            for name in self.extractions.of(extraction_fingerprint(shard, tracks, settings)):
                if self.store.has_part("rejects", name):
                    yield Known(name, decodable(tracks), wanted_longer=settings is not self.config)

    @cached_property
    def _earlier_parts(self) -> dict[int, list[Part]]:
        """The parts that only other versions of `tracks` have, the newest first, by the shard of their tracks now."""
        now = [part.name for part in self.store.manifest(self._ref).parts]
        shards, unchanged = [shard_of(name) for name in now], set(now)
        written = self.store.list_manifests("tracks")  # reading one of 10,000 parts takes 0.14 s
        refs = sorted(written.keys() - {self._ref}, key=lambda ref: written[ref].time, reverse=True)[:VERSIONS]
        others: dict[str, Part] = {}
        for ref in refs:
            with contextlib.suppress(DamageError):
                for part in self.store.manifest(ref).parts:
                    if part.name not in unchanged:
                        others.setdefault(part.name, part)
        parts: dict[int, list[Part]] = defaultdict(list)
        for part in others.values():
            successor = max(bisect.bisect_right(shards, shard_of(part.name)) - 1, 0)
            parts[shards[successor]].append(part)
        return parts


def same_audio(tracks: pa.Table, known: pa.Table) -> np.ndarray:
    """The row of `known` with the audio of each of `tracks`, shape (n,), int; -1 where there is none.

    Both need the columns track_id, content_hash and audio_hash. A file that could not be read has no hash; it is the
    same only as itself.
    """
    rows = pc.coalesce(
        pc.index_in(_content(tracks), value_set=_content(known), skip_nulls=True),
        pc.index_in(tracks["audio_hash"], value_set=known["audio_hash"].combine_chunks(), skip_nulls=True),
    )
    return pc.fill_null(rows, -1).to_numpy().astype(np.int64)


def _content(tracks: pa.Table) -> pa.Array:
    unread = pc.binary_join_element_wise("unread", tracks["track_id"], " ")
    content = pc.coalesce(tracks["content_hash"], unread)
    return content.combine_chunks() if isinstance(content, pa.ChunkedArray) else content
