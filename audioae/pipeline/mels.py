"""Stage mels: tracks become 3-second mel clips, evidence of faults, and reasons for rejection.

Training reads the stored mels. With `max_stored_tracks` only a sample of shards is stored, chosen by a hash of the
shard number: the sample covers the whole catalog, and a catalog that grows keeps its sample.
"""

from collections.abc import Sequence

from audioae.config import fingerprint
from audioae.pipeline.accounting import commit_evidence
from audioae.pipeline.clips import CODE, extraction_fingerprint, iter_clips
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.shards import iter_shards, shard_numbers, shard_of
from audioae.progress import Advance
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


def plan_mels(store: Store, config: MelsConfig, tracks: DatasetRef) -> list[int]:
    """Choose the shards whose mels are stored, ascending."""
    if config.max_stored_tracks is None:
        return shard_numbers(store, tracks)
    sizes = {shard_of(part.name): part.rows or 0 for part in store.manifest(tracks).parts}
    chosen, n_tracks = [], 0
    for shard in sorted(sizes, key=lambda shard: fingerprint(["sample", shard])):
        if chosen and n_tracks + sizes[shard] > config.max_stored_tracks:
            break
        chosen.append(shard)
        n_tracks += sizes[shard]
    return sorted(chosen)


def pending_mels(store: Store, config: MelsConfig, tracks: DatasetRef) -> list[int]:
    """Return the planned shards that are not stored yet."""
    existing = store.part_fingerprints("mels")
    return [shard for shard, name in _names(store, config, tracks).items() if name not in existing]


def compute_mels(
    store: Store,
    config: MelsConfig,
    tracks: DatasetRef,
    shards: Sequence[int],
    workers: Workers,
    on_progress: Advance | None = None,
) -> int:
    """Decode `shards` and write their parts; returns the number of clips."""
    parts = iter_clips(store, tracks, shards, config, workers, keep_mels=True, on_progress=on_progress)
    return sum(mels.num_rows for _, _, mels in parts)


def commit_mels(store: Store, config: MelsConfig, tracks: DatasetRef, *, max_reject_rate: float) -> DatasetRef:
    """Publish `health`, `rejects` and `mels` of a catalog version.

    Raises
    ------
    StoreError
        If too many tracks were rejected.
    """
    names = list(_names(store, config, tracks).values())
    evidence = commit_evidence(store, tracks, names, config, max_reject_rate=max_reject_rate)
    settings = config.model_dump(mode="json")
    return store.commit(
        "mels", names, recipe=fingerprint([CODE, names, settings]), config=settings, parents=[tracks, *evidence]
    )


def _names(store: Store, config: MelsConfig, tracks: DatasetRef) -> dict[int, str]:
    planned = iter_shards(store, tracks, plan_mels(store, config, tracks))
    return {shard: extraction_fingerprint(shard, table, config) for shard, table in planned}
