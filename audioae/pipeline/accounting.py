"""Accounting: publishes the evidence from decoding (`health`, `rejects`), and counts every track exactly once.

Conventions
-----------
- Every track of a catalog version is in exactly one state: embedded, exact duplicate, rejected (with a reason) or
  pending. A track that failed for a reason that may pass is pending until its last attempt (see `failures.py`).
- A run fails and publishes nothing if more than `max_reject_rate` of the decoded tracks are rejected.
- A shard's parts of `tracks`, `rejects` and `embeddings` are about the same tracks, so shards are counted one by one,
  and memory does not depend on the number of tracks.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.pipeline.config import MelsConfig
from audioae.pipeline.extraction import is_partial
from audioae.pipeline.failures import pending_failures
from audioae.pipeline.retry_times import keep_times
from audioae.pipeline.shard_states import known_times
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Part
from audioae.store.parallel import map_parallel
from audioae.store.schemas import schema_of

TRACK_COLUMNS = ("track_id", "duplicate_of")
REJECT_COLUMNS = ("track_id", "reason", "attempts", "retry_at")
EMBEDDED_COLUMNS = ("track_id", "padded")


def commit_evidence(
    store: Store, tracks: DatasetRef, names: Sequence[str], config: MelsConfig, *, max_reject_rate: float
) -> list[DatasetRef]:
    """Publish the parts `names` of `health` and `rejects`, unless too many tracks were rejected.

    Raises
    ------
    StoreError
        If more than `max_reject_rate` of the decoded tracks were rejected, or all of them; nothing is published then.
    """
    with store.snapshot():
        health, rejects = store.describe("health", names), store.describe("rejects", names)
        n_good, n_rejected = (sum(part.rows or 0 for part in parts) for parts in (health, rejects))
        n_decoded = n_rejected + n_good
        if n_rejected and (n_good == 0 or n_rejected / n_decoded > max_reject_rate):
            raise _too_many(store, rejects, n_rejected, n_decoded, max_reject_rate)
        settings = config.model_dump(mode="json")
        recipe = fingerprint([list(names), settings])
        partial_names = [name for name in names if is_partial(name)]
        known = known_times(store) if partial_names else {}
        refs = [
            store.commit(dataset, names, recipe=recipe, config=settings, parents=[tracks])
            for dataset in ("health", "rejects")
        ]
        if partial_names:
            keep_times(store, refs[1], partial_names, known)
        return refs


def _too_many(
    store: Store, rejects: Sequence[Part], n_rejected: int, n_decoded: int, max_reject_rate: float
) -> StoreError:
    reasons: Counter[str] = Counter()
    detail = ""
    for part in store.read_parts("rejects", rejects):
        reasons.update(part["reason"].to_pylist())
        if part.num_rows and not detail:
            example = part.slice(0, 1).to_pylist()[0]
            detail = f"{example['track_id']}: {example['reason']}: {example['detail']}"
    if n_rejected < n_decoded:
        problem = f"{n_rejected} of {n_decoded} tracks were rejected, more than max_reject_rate={max_reject_rate:g}"
        remedy = "Fix the source, or raise max_reject_rate"
    else:
        problem, remedy = f"all {n_decoded} tracks were rejected", "Fix the source"
    return StoreError(
        f"{problem} ({_counts(reasons)}); for example {detail}. Nothing was published. {remedy} and run again"
    )


@dataclass(frozen=True)
class Accounting:
    """The number of tracks of one catalog version in each state. The four states add up to `n_tracks`.

    `failed` has the pending tracks that are tried again: rows of reason, attempts and number of tracks.
    """

    n_tracks: int
    embedded: int
    duplicates: int
    rejected: dict[str, int] = field(default_factory=dict)
    pending: int = 0
    padded: int = 0
    failed: tuple[dict[str, Any], ...] = ()

    @property
    def lost(self) -> int:
        """The pending tracks that no run will try again, although nothing is known of them."""
        return self.pending - sum(row["tracks"] for row in self.failed)

    @property
    def pending_states(self) -> dict[str, int]:
        """The pending tracks by what happened so far, in words.

        >>> failed = ({"reason": "timeout", "attempts": 2, "tracks": 3},)
        >>> Accounting(9, 5, 0, pending=4, failed=failed).pending_states
        {'pending: failed 2 times (timeout)': 3, 'pending': 1}
        """
        states = {f"pending: {failed_words(row['attempts'])} ({row['reason']})": row["tracks"] for row in self.failed}
        return {**states, "pending": self.lost}

    @classmethod
    def merge(cls, shards: "Iterable[Accounting]") -> "Accounting":
        """The accounting of several sets of tracks together."""
        counts: Counter[str] = Counter()
        rejected: Counter[str] = Counter()
        failed: Counter[tuple[str, int]] = Counter()
        for shard in shards:
            counts.update({name: getattr(shard, name) for name in _COUNTS})
            rejected.update(shard.rejected)
            failed.update({(row["reason"], row["attempts"]): row["tracks"] for row in shard.failed})
        return cls(
            **{name: counts[name] for name in _COUNTS}, rejected=dict(rejected.most_common()), failed=_rows(failed)
        )


_COUNTS = ("n_tracks", "embedded", "duplicates", "pending", "padded")


def failed_words(attempts: int) -> str:
    """How often a track has failed, in words."""
    return f"failed {attempts} {'time' if attempts == 1 else 'times'}"


def account(tracks: pa.Table, rejects: pa.Table, embeddings: pa.Table) -> Accounting:
    """Count a catalog's tracks by state.

    Parameters
    ----------
    tracks : pa.Table
        Rows of `tracks`, at least track_id and duplicate_of.
    rejects : pa.Table
        Rows of `rejects`, at least track_id, reason, attempts and retry_at.
    embeddings : pa.Table
        Rows of `embeddings`, at least track_id and padded.

    Raises
    ------
    StoreError
        If a track is in two states; the datasets are then of different versions.
    """
    ids = tracks["track_id"]
    rejects = rejects.filter(pc.is_in(rejects["track_id"], value_set=_one_chunk(ids)))
    waiting = pending_failures(rejects)
    rejects = rejects.filter(pc.is_null(rejects["retry_at"]))
    duplicate, rejected, embedded = (
        mask.to_numpy(zero_copy_only=False)
        for mask in (
            pc.is_valid(tracks["duplicate_of"]),
            pc.is_in(ids, value_set=_one_chunk(rejects["track_id"])),
            pc.is_in(ids, value_set=_one_chunk(embeddings["track_id"])),
        )
    )
    n_states = duplicate.astype(int) + rejected + embedded
    if len(rows := np.flatnonzero(n_states > 1)):
        raise StoreError(
            f"tracks in two states at once: {len(rows)}, for example {ids[int(rows[0])].as_py()}; the datasets "
            "tracks, rejects and embeddings are of different versions; run the pipeline again"
        )
    stateless = _one_chunk(ids.filter(pa.array(n_states == 0)))
    return Accounting(
        n_tracks=len(ids),
        embedded=int(embedded.sum()),
        duplicates=int(duplicate.sum()),
        rejected=dict(Counter(rejects["reason"].to_pylist()).most_common()),
        pending=int((n_states == 0).sum()),
        padded=int(pc.sum(embeddings["padded"]).as_py() or 0),
        failed=_by_attempts(waiting.filter(pc.is_in(waiting["track_id"], value_set=stateless))),
    )


def account_store(store: Store, embeddings: DatasetRef | None = None) -> Accounting:
    """Count the tracks of the catalog that `embeddings` (default: the latest) was made from.

    If no embeddings are published, it counts the latest catalog.
    """
    with store.snapshot():
        embeddings = embeddings or store.latest("embeddings")
        if embeddings is None:
            tracks, rejects, embedded = store.require("tracks"), store.latest("rejects"), []
        else:
            manifest = store.manifest(embeddings)
            tracks, rejects, embedded = manifest.parent("tracks"), manifest.parent("rejects"), manifest.parts
        shards = _by_shard(store.manifest(tracks).parts, store.manifest(rejects).parts if rejects else [], embedded)
    return Accounting.merge(map_parallel(partial(_account_shard, store), shards))


def check_accounts(store: Store, tracks: DatasetRef, rejects: DatasetRef, embeddings: Sequence[str]) -> None:
    """Raise unless every track is accounted for by the parts `embeddings`, which are to be published.

    Shards that the current embeddings were published with are right, and are not read again.

    Raises
    ------
    StoreError
        If a track is neither embedded nor rejected nor waiting for another try nor an exact duplicate.
    """
    with store.snapshot():
        parts = store.describe("embeddings", embeddings)
        shards = _by_shard(store.manifest(tracks).parts, store.manifest(rejects).parts, parts)
        checked = _published_shards(store)
    sums = Accounting.merge(map_parallel(partial(_account_shard, store), [s for s in shards if s not in checked]))
    if sums.lost:
        n_tracks = store.manifest(tracks).rows
        raise StoreError(
            f"{sums.lost} of {n_tracks} tracks of {tracks} are neither embedded nor rejected nor an exact "
            "duplicate; nothing was published, run the pipeline again"
        )


@dataclass(frozen=True)
class _ShardParts:
    """The parts about the tracks of one shard."""

    tracks: tuple[Part, ...]
    rejects: tuple[Part, ...]
    embeddings: tuple[Part, ...]


def _by_shard(tracks: Sequence[Part], rejects: Sequence[Part], embeddings: Sequence[Part]) -> list[_ShardParts]:
    """The parts of each shard; all in one if they are not named by the shards of `tracks`."""
    shards: dict[str, tuple[list[Part], ...]] = {_shard(part): ([], [], []) for part in tracks}
    if not all(_shard(part) in shards for part in [*rejects, *embeddings]):
        return [_ShardParts(tuple(tracks), tuple(rejects), tuple(embeddings))]
    for i, parts in enumerate((tracks, rejects, embeddings)):
        for part in parts:
            shards[_shard(part)][i].append(part)
    return [_ShardParts(*map(tuple, parts)) for parts in shards.values()]


def _shard(part: Part) -> str:
    return part.name.split("-", 1)[0]


def _published_shards(store: Store) -> set[_ShardParts]:
    """The shards of the current embeddings."""
    with contextlib.suppress(StoreError):  # none, or its ancestors are gone
        manifest = store.manifest(DatasetRef("embeddings", store.read_latest("embeddings").version))
        tracks, rejects = (store.manifest(manifest.parent(name)).parts for name in ("tracks", "rejects"))
        return set(_by_shard(tracks, rejects, manifest.parts))
    return set()


def _account_shard(store: Store, shard: _ShardParts) -> Accounting:
    def read(dataset: str, parts: Sequence[Part], columns: Sequence[str]) -> pa.Table:
        empty = pa.schema([schema_of(dataset).schema.field(name) for name in columns]).empty_table()
        return pa.concat_tables([empty, *(store.read_published(dataset, part, columns) for part in parts)])

    return account(
        read("tracks", shard.tracks, TRACK_COLUMNS),
        read("rejects", shard.rejects, REJECT_COLUMNS),
        read("embeddings", shard.embeddings, EMBEDDED_COLUMNS),
    )


def _by_attempts(failed: pa.Table) -> tuple[dict[str, Any], ...]:
    return _rows(Counter(zip(failed["reason"].to_pylist(), failed["attempts"].to_pylist(), strict=True)))


def _rows(failed: Mapping[tuple[str, int], int]) -> tuple[dict[str, Any], ...]:
    return tuple({"reason": reason, "attempts": n, "tracks": tracks} for (reason, n), tracks in sorted(failed.items()))


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in reasons.most_common())
